// Runs before Bun's main and before any thread, in the processes that mydocker starts from its own
// executable with this library preloaded; never returns to Bun there.
#include "shim.h"

// What the loader runs first of all. The orders are complete once LAUNCH has come.
__attribute__((constructor)) static void start(void) {
  struct message message;
  int got = receive_message(FD_CONTROL, &message, 0);
  if (got == -ENOTSOCK || got == -EBADF) return;
  if (got != 1 || message.kind != MESSAGE_LAUNCH) leave(125);
  // the preloaded library, and what our caller's caller left open
  SYS(close_range, FD_PRELOAD, ~0u, 0);
  long size = SYS(lseek, FD_ORDERS, 0, SEEK_END);
  long at = SYS(mmap, 0, size, PROT_READ, MAP_PRIVATE, FD_ORDERS, 0);
  if (size < (long)sizeof(struct orders) || (at < 0 && at > -4096)) fail(FD_CONTROL, STAGE_MEMORY, at);
  orders = (const struct orders *)at;
  if (orders->magic != ORDERS_MAGIC) leave(125);
  if (orders->role == ROLE_ENTER) enter_main();
  monitor_main();
}
