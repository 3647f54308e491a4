#include "shim.h"

// In the container's namespaces but not yet in its pid namespace, so that nobody there sees it: lets go of all that is the
// host's, a folder of its cgroups and the client's files among it, then makes the process that is.
__attribute__((noreturn)) static void cross(const struct stdio *stdio, int report) {
  join_cgroups();
  take_stdio(stdio);
  SYS(dup3, report, FD_CONTROL, O_CLOEXEC);
  SYS(close, FD_ORDERS);
  SYS(close_range, FD_SUBJECT + 1, ~0u, 0);
  long result = SYS(setns, FD_SUBJECT, clone_flags);
  if (result < 0) fail(FD_CHANNEL, STAGE_SETNS, result);
  SYS(close, FD_SUBJECT);
  long pid = new_process(CLONE_PARENT, NULL);
  if (pid < 0) fail(FD_CHANNEL, STAGE_FORK, pid);
  if (pid == 0) run_program(NULL);
  SYS(write, FD_CONTROL, &pid, sizeof pid);
  leave(0);
}

// exec: stays outside of the container with the client's streams; the process that enters holds
// nothing of the host when the container can first see it (CVE-2016-9962, CVE-2024-21626).
__attribute__((noreturn)) void enter_main(void) {
  struct stdio stdio;
  int report[2];
  enum fate fate = FATE_COMMITTED;
  name_process("mydocker:enter");
  SYS(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  uint64_t act[4] = {1, 0, 0, 0};
  SYS(rt_sigaction, SIGPIPE, act, 0, 8);
  long result = make_stdio(&stdio);
  if (result >= 0) result = SYS(pipe2, report, O_CLOEXEC);
  if (result < 0) fail(FD_CONTROL, STAGE_PIPE, result);
  await_orders(FD_CONTROL);
  long helper = new_process(has_flag(FLAG_INTO_CGROUP) ? CLONE_INTO_CGROUP : 0, NULL);
  if (helper == 0) cross(&stdio, report[1]);
  if (helper < 0) fail(FD_CONTROL, STAGE_FORK, helper);
  SYS(close, report[1]);
  SYS(close, FD_CHANNEL);
  close_program_ends(&stdio);
  long pid = 0;
  long got = SYS(read, report[0], &pid, sizeof pid);
  SYS(wait4, helper, 0, WALL, 0);
  if (got != sizeof pid) leave(125);
  SYS(close, report[0]);
  long pidfd = SYS(pidfd_open, pid, 0);
  if (pidfd < 0) fail(FD_CONTROL, STAGE_FORK, pidfd);
  send_message(FD_CONTROL, MESSAGE_CREATED, (int32_t)pid, 0, 0);
  int code = pump(&stdio, (int)pidfd, (int)pid, &fate);
  deliver_rest();
  send_message(FD_CONTROL, MESSAGE_EXITED, code, 0, 0);
  leave(code);
}
