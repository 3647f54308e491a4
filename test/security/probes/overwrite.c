// overwrite FD: whether the executable that FD is open on can be changed, in each way there is; it is not, where it can.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  char path[64];
  struct stat file;
  struct statvfs mount;
  snprintf(path, sizeof path, "/proc/self/fd/%s", argv[1]);
  if (stat(path, &file) < 0) return perror(path), 1;
  int fd = open(path, O_WRONLY);
  // as long as others run it, it is busy; its mount says whether it could be written when they do not
  printf("open %s\n", fd >= 0 || (errno == ETXTBSY && statvfs(path, &mount) == 0 && !(mount.f_flag & ST_RDONLY)) ? "yes" : "no");
  printf("chmod %s\n", chmod(path, file.st_mode & 07777) == 0 ? "yes" : strerror(errno));
  printf("size %ld\n", (long)file.st_size);
  return 0;
}
