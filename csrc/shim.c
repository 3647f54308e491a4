// Runs before Bun's main and before any thread, in the processes that mydocker starts from its own
// executable with this library preloaded; never returns to Bun there.
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
static void open_standard_streams(void) {
  long fd;
  do fd = SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  while (fd >= 0 && fd < 3);
  SYS(close, fd);
}

// What the loader runs first of all.
__attribute__((constructor)) static void start(void) {
  struct message message;
  int got = receive_message(FD_CONTROL, &message, 0);
  if (got == -ENOTSOCK || got == -EBADF) return;
  if (got != 1 || message.kind != MESSAGE_BEGIN) leave(125);
  // the preloaded library, and what our caller's caller left open
  SYS(close_range, FD_PRELOAD, ~0u, 0);
  open_standard_streams();
  given_flags = (uint32_t)message.b;
  clone_flags = (uint32_t)message.c;
  if (message.a == ROLE_ENTER) enter_main();
  monitor_main();
}
