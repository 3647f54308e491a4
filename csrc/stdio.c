#include "shim.h"

// Three pipes, or the terminal. Without FLAG_STDIN the program reads /dev/null.
// The program's ends are the plain ones; ours do not block.
long make_stdio(struct stdio *stdio) {
  *stdio = (struct stdio){-1, -1, -1, -1, -1, -1};
  if (has_flag(FLAG_TTY)) {
    stdio->in_read = stdio->out_write = stdio->err_write = FD_PTY_SLAVE;
    stdio->out_read = FD_PTY_MASTER;
    stdio->in_write = has_flag(FLAG_STDIN) ? FD_PTY_MASTER : -1;
    return SYS(fcntl, FD_PTY_MASTER, F_SETFL, O_NONBLOCK | O_RDWR);
  }
  int ends[2];
  long result;
  if (has_flag(FLAG_STDIN)) {
    if ((result = SYS(pipe2, ends, O_CLOEXEC)) < 0) return result;
    stdio->in_read = ends[0], stdio->in_write = ends[1];
    SYS(fcntl, ends[1], F_SETFL, O_NONBLOCK | O_WRONLY);
  } else if ((result = SYS(openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
    return result;
  } else {
    stdio->in_read = (int)result;
  }
  if ((result = SYS(pipe2, ends, O_CLOEXEC)) < 0) return result;
  stdio->out_read = ends[0], stdio->out_write = ends[1];
  SYS(fcntl, ends[0], F_SETFL, O_NONBLOCK);
  if ((result = SYS(pipe2, ends, O_CLOEXEC)) < 0) return result;
  stdio->err_read = ends[0], stdio->err_write = ends[1];
  return SYS(fcntl, ends[0], F_SETFL, O_NONBLOCK);
}

// In the program's process: its ends become descriptors 0, 1 and 2, and its own user's, so that it can
// open /dev/stdout anew.
void take_stdio(const struct stdio *stdio) {
  int ends[3] = {stdio->in_read, stdio->out_write, stdio->err_write};
  for (int fd = 0; fd < 3; fd++) {
    SYS(dup3, ends[fd], fd, 0);
    if (fd > 0 || has_flag(FLAG_STDIN | FLAG_TTY)) SYS(fchown, fd, orders->uid, -1);
  }
}

void close_program_ends(const struct stdio *stdio) {
  SYS(close, stdio->in_read);
  SYS(close, stdio->out_write);
  SYS(close, stdio->err_write);
}
