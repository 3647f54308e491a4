// calls [NAME...]: makes each call (or all), in a process of its own and with arguments that do nothing, and prints
// `NAME RESULT`: 0, or the errno.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD ((long)-1)
#define X32 0x40000000L

struct attempt {
  const char *name;
  long number, args[6];
};

static const uint64_t userns_args[11] = {CLONE_NEWUSER, 0, 0, 0, 17};

// What needs more than a refusal to do harm gets a descriptor of -1 or memory that is not there.
static const struct attempt attempts[] = {
  {"mount", SYS_mount, {BAD, BAD, BAD, 0, 0}},
  {"umount", SYS_umount2, {BAD, 0}},
  {"unshare-user", SYS_unshare, {CLONE_NEWUSER}},
  {"unshare-mount", SYS_unshare, {CLONE_NEWNS}},
  {"setns", SYS_setns, {BAD, 0}},
  {"pivot_root", SYS_pivot_root, {BAD, BAD}},
  {"fsopen", SYS_fsopen, {BAD, 0}},
  {"fsconfig", SYS_fsconfig, {BAD, 0, BAD, 0, 0}},
  {"open_tree", SYS_open_tree, {BAD, BAD, 0}},
  {"move_mount", SYS_move_mount, {BAD, BAD, BAD, BAD, 0}},
  {"keyctl", SYS_keyctl, {0, -3, 0}},
  {"add_key", SYS_add_key, {BAD, BAD, BAD, 0, -3}},
  {"request_key", SYS_request_key, {BAD, BAD, BAD, -3}},
  {"bpf", SYS_bpf, {0, BAD, 0}},
  {"perf_event_open", SYS_perf_event_open, {BAD, 0, -1, -1, 0}},
  {"userfaultfd", SYS_userfaultfd, {BAD}},
  {"io_uring_setup", SYS_io_uring_setup, {1, BAD}},
  {"io_uring_enter", SYS_io_uring_enter, {BAD, 0, 0, 0, 0, 0}},
  {"open_by_handle_at", SYS_open_by_handle_at, {BAD, BAD, 0}},
  {"finit_module", SYS_finit_module, {BAD, BAD, 0}},
  {"kexec_load", SYS_kexec_load, {0, 1, BAD, 0xffff0000}},
  {"syslog", SYS_syslog, {3, BAD, 0}},
  {"acct", SYS_acct, {BAD}},
  {"swapon", SYS_swapon, {BAD, 0}},
  {"quotactl", SYS_quotactl, {BAD, 0, 0, 0}},
  {"settimeofday", SYS_settimeofday, {BAD, 0}},
  {"lookup_dcookie", SYS_lookup_dcookie, {0, BAD, 0}},
  {"fanotify_init", SYS_fanotify_init, {BAD, 0}},
  {"clone3-user", SYS_clone3, {(long)userns_args, sizeof userns_args}},
#ifdef __x86_64__
  {"clone-user", SYS_clone, {CLONE_NEWUSER | 17, 0, 0, 0, 0}},
  // recvmmsg by its number of x32: the call of CVE-2014-0038
  {"x32-recvmmsg", X32 + 537, {BAD, BAD, 0, 0, BAD}},
  {"x32-getpid", X32 + 39, {0}},
  {"x32-unshare", X32 + 272, {CLONE_NEWUSER}},
#endif
};

static int is_wanted(const char *name, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], name) == 0) return 1;
  return argc == 1;
}

// Its exit status is the answer: 0, also for the child of a clone that is allowed.
static int try(const struct attempt *attempt) {
  const long *a = attempt->args;
  pid_t pid = fork();
  if (pid == 0) _exit(syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  for (size_t n = 0; n < sizeof attempts / sizeof *attempts; n++)
    if (is_wanted(attempts[n].name, argc, argv)) printf("%s %d\n", attempts[n].name, try(&attempts[n])), fflush(stdout);
  return 0;
}
