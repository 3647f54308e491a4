// handles make PATH: prints the handle of a file as the kernel gives it, in hex.
// handles read FOLDER HANDLE: opens it from anywhere in the file system that the folder is on, and prints what it holds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static union {
  struct file_handle head;
  unsigned char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} handle;

static int make(const char *path) {
  int mount;
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount, 0) < 0) return perror("name_to_handle_at"), 1;
  for (size_t i = 0; i < sizeof handle.head + handle.head.handle_bytes; i++) printf("%02x", handle.bytes[i]);
  printf("\n");
  return 0;
}

static int read_it(const char *folder, const char *hex) {
  for (size_t i = 0; hex[2 * i] && i < sizeof handle; i++) {
    char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
    handle.bytes[i] = (unsigned char)strtoul(two, NULL, 16);
  }
  int fd = open_by_handle_at(open(folder, O_RDONLY | O_DIRECTORY), &handle.head, O_RDONLY);
  if (fd < 0) return perror("open_by_handle_at"), 1;
  char text[256];
  ssize_t got = read(fd, text, sizeof text);
  if (got > 0) fwrite(text, 1, (size_t)got, stdout);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 3) return make(argv[2]);
  return argc == 4 ? read_it(argv[2], argv[3]) : 2;
}
