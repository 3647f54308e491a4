// Runs before Bun's main and before any thread, in the processes that mydocker starts from its own executable with this
// library as the loader's auditor (or preloaded); never returns to Bun there.
#include "shim.h"

uint32_t clone_flags;
static uint32_t given_flags;

int has_flag(uint32_t flag) {
  return (given_flags & flag) != 0;
}

// Waits until the client has written the orders, and maps them.
void await_orders(int fd) {
  struct message message;
  if (receive_message(fd, &message, 0) != 1 || message.kind != MESSAGE_LAUNCH) leave(125);
  long size = SYS(lseek, FD_ORDERS, 0, SEEK_END);
  long at = SYS(mmap, 0, size, PROT_READ, MAP_PRIVATE, FD_ORDERS, 0);
  if (size < (long)sizeof(struct orders) || (at < 0 && at > -4096)) fail(fd, STAGE_MEMORY, at);
  orders = (const struct orders *)at;
  if (orders->magic != ORDERS_MAGIC) leave(125);
}

// What our caller had closed of 0, 1 and 2 is /dev/null, or other things would get these numbers.
void open_standard_streams(void) {
  long fd;
  do fd = SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  while (fd >= 0 && fd < 3);
  SYS(close, fd);
}

// Not attached: the client's streams are not ours.
static void leave_streams(void) {
  int nothing = (int)SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  for (int fd = 0; fd < 3; fd++) SYS(dup3, nothing, fd, 0);
  SYS(close, nothing);
}

// Puts the descriptors that came with BEGIN under their numbers; src/runtime/shim.ts sends them in this order.
static void place_descriptors(int role, const int *came, int count) {
  int wanted[MOST_FDS], aside[MOST_FDS], n = 0;
  wanted[n++] = FD_SUBJECT;
  if (role == ROLE_MONITOR) wanted[n++] = FD_LOG, wanted[n++] = FD_STATE;
  if (has_flag(FLAG_INTO_CGROUP)) wanted[n++] = FD_CGROUP;
  if (has_flag(FLAG_TTY)) wanted[n++] = FD_PTY_MASTER, wanted[n++] = FD_PTY_SLAVE;
  if (has_flag(FLAG_JOIN_NETWORK)) wanted[n++] = FD_NETNS;
  if (has_flag(FLAG_JOIN_IPC)) wanted[n++] = FD_IPCNS;
  if (has_flag(FLAG_JOIN_PID)) wanted[n++] = FD_PIDNS;
  if (count != n) leave(125);
  for (int i = 0; i < n; i++) {
    aside[i] = (int)SYS(fcntl, came[i], F_DUPFD, ABOVE);
    SYS(close, came[i]);
  }
  for (int i = 0; i < n; i++) {
    if (SYS(dup3, aside[i], wanted[i], 0) < 0) leave(125);
    SYS(close, aside[i]);
  }
}

// rtld-audit(7): not interested, where a loader asks before it runs what follows.
__attribute__((visibility("default"))) unsigned la_version(unsigned version) {
  (void)version;
  return 0;
}

// What the loader runs first of all.
__attribute__((constructor)) static void start(void) {
  struct message message;
  int came[MOST_FDS];
  int got = receive_message(FD_CONTROL, &message, MSG_PEEK);
  if (got == -ENOTSOCK || got == -EBADF) return;
  // the library itself, and what our caller's caller left open
  SYS(close_range, FD_SUBJECT, ~0u, 0);
  open_standard_streams();
  int count = receive_descriptors(FD_CONTROL, &message, came);
  if (count < 0 || message.kind != MESSAGE_BEGIN) leave(125);
  given_flags = (uint32_t)message.b;
  clone_flags = (uint32_t)message.c;
  place_descriptors(message.a, came, count);
  if (!has_flag(FLAG_ATTACHED)) leave_streams();
  if (message.a == ROLE_ENTER) enter_main();
  monitor_main();
}
