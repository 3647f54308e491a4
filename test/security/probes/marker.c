// A library that leaves a mark wherever it is loaded: a line in the file that it was built with.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifndef MARKER
#error "the file that is marked"
#endif

__attribute__((constructor)) static void mark(void) {
  int fd = open(MARKER, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd >= 0) dprintf(fd, "%d\n", (int)getpid()), close(fd);
}
