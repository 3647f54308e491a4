#include "shim.h"

struct clone_args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

// Like fork, with clone flags; in the parent the child's pid and, through `pidfd`, a descriptor of it.
// With CLONE_INTO_CGROUP the process is born in the cgroup v2 of FD_CGROUP: joining later would cost
// a grace period of RCU (several milliseconds).
long new_process(uint64_t flags, int *pidfd) {
  struct clone_args args = {.flags = flags | (pidfd ? CLONE_PIDFD : 0), .pidfd = (uint64_t)(uintptr_t)pidfd};
  if (!(flags & CLONE_PARENT)) args.exit_signal = SIGCHLD;
  if (flags & CLONE_INTO_CGROUP) args.cgroup = FD_CGROUP;
  return SYS(clone3, &args, sizeof args);
}

__attribute__((noreturn)) void leave(int code) {
  for (;;) SYS(exit_group, code);
}

// What ps and /proc/PID/comm show.
void name_process(const char *name) {
  SYS(prctl, PR_SET_NAME, name, 0, 0, 0);
}
