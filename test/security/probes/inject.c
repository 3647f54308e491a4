// inject TEXT: types TEXT into whatever terminal it can reach: its standard streams, and the one that controls it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void inject(const char *what, int fd, const char *text) {
  int done = 0;
  for (const char *c = text; fd >= 0 && *c; c++) done += ioctl(fd, TIOCSTI, c) == 0;
  dprintf(1, "%s %s\n", what, fd < 0 ? "closed" : done ? "typed" : strerror(errno));
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  inject("tty", open("/dev/tty", O_RDWR), argv[1]);
  inject("stdin", 0, argv[1]);
  inject("stdout", 1, argv[1]);
  inject("stderr", 2, argv[1]);
  return 0;
}
