#include "shim.h"

// Until the program has ended: signals go on to it, and what ends without a parent is reaped.
__attribute__((noreturn)) static void reap_for(long program) {
  uint64_t all = ~0ull;
  for (;;) {
    long signal = SYS(rt_sigtimedwait, &all, 0, 0, 8);
    if (signal > 0 && signal != SIGCHLD) SYS(kill, program, signal);
    if (signal != SIGCHLD) continue;
    int status = 0;
    long pid;
    while ((pid = SYS(wait4, -1, &status, WNOHANG | WALL, 0)) > 0)
      if (pid == program) leave((status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
  }
}

// Returns in the process that becomes the program; ours stays pid 1, as confined as the program is and with nothing open. Not by
// clone3: the filter of system calls is there already, and has none.
void become_reaping_init(void) {
  uint64_t all = ~0ull, none = 0;
  SYS(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  long pid = SYS(clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) fail(FD_CHANNEL, STAGE_FORK, pid);
  if (pid == 0) {
    // a group of its own, in front where there is a terminal: what is typed there is not for us
    SYS(setpgid, 0, 0);
    int group = (int)SYS(getpid);
    if (has_flag(FLAG_TTY)) SYS(ioctl, 0, TIOCSPGRP, &group);
    SYS(rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
    return;
  }
  SYS(close_range, 0, ~0u, 0);
  reap_for(pid);
}
