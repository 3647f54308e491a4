#include "shim.h"

// Three pipes, or the terminal. Without FLAG_STDIN nobody writes to the first one.
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
  if ((result = SYS(pipe2, ends, O_CLOEXEC)) < 0) return result;
  stdio->in_read = ends[0];
  if (has_flag(FLAG_STDIN)) {
    stdio->in_write = ends[1];
    SYS(fcntl, ends[1], F_SETFL, O_NONBLOCK | O_WRONLY);
  } else {
    SYS(close, ends[1]);
  }
  if ((result = SYS(pipe2, ends, O_CLOEXEC)) < 0) return result;
  stdio->out_read = ends[0], stdio->out_write = ends[1];
  SYS(fcntl, ends[0], F_SETFL, O_NONBLOCK);
  if ((result = SYS(pipe2, ends, O_CLOEXEC)) < 0) return result;
  stdio->err_read = ends[0], stdio->err_write = ends[1];
  return SYS(fcntl, ends[0], F_SETFL, O_NONBLOCK);
}

// In the program's process: its ends become descriptors 0, 1 and 2.
void take_stdio(const struct stdio *stdio) {
  int ends[3] = {stdio->in_read, stdio->out_write, stdio->err_write};
  for (int fd = 0; fd < 3; fd++) SYS(dup3, ends[fd], fd, 0);
}

// And its own user's, so that it can open /dev/stdout anew; the number is that of its user namespace.
void own_stdio(void) {
  for (int fd = 0; fd < 3; fd++)
    if (fd > 0 || has_flag(FLAG_STDIN | FLAG_TTY)) SYS(fchown, fd, orders->uid, -1);
}

// Without FLAG_STDIN the program reads the null device of its own /dev, and where that is none an empty pipe: never the host's,
// whose mode and owner its root could change by that descriptor.
void take_null(void) {
  if (has_flag(FLAG_STDIN | FLAG_TTY)) return;
  struct {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, user, group;
    uint16_t mode, spare;
    uint32_t middle[24], major, minor, rest[30];
  } found;
  long fd = SYS(openat, AT_FDCWD, "/dev/null", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
  if (fd < 0) return;
  long result = SYS(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &found);
  if (result == 0 && (found.mode & S_IFMT) == S_IFCHR && found.major == 1 && found.minor == 3) {
    SYS(fcntl, fd, F_SETFL, O_RDONLY);
    SYS(dup3, fd, 0, 0);
  }
  SYS(close, fd);
}

void close_program_ends(const struct stdio *stdio) {
  SYS(close, stdio->in_read);
  SYS(close, stdio->out_write);
  SYS(close, stdio->err_write);
}
