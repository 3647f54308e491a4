#include "shim.h"

struct cap_header {
  uint32_t version;
  int pid;
};
struct cap_data {
  uint32_t effective, permitted, inheritable;
};
#define CAPABILITY_VERSION_3 0x20080522
#define CAP_SYS_ADMIN 21

// capabilities(7): the bounding set while CAP_SETPCAP is there, the rest once the user is set.
static void drop_bounding(void) {
  for (int cap = 0; cap < 64; cap++)
    if (!(orders->cap_bounding >> cap & 1) && SYS(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0) == -EINVAL) break;
}

static long set_three(uint64_t besides) {
  struct cap_header header = {CAPABILITY_VERSION_3, 0};
  struct cap_data data[2];
  for (int half = 0; half < 2; half++) {
    data[half].effective = (uint32_t)((orders->cap_effective | besides) >> (32 * half));
    data[half].permitted = (uint32_t)((orders->cap_permitted | besides) >> (32 * half));
    data[half].inheritable = (uint32_t)(orders->cap_inheritable >> (32 * half));
  }
  return SYS(capset, &header, data);
}

static long set_capabilities(void) {
  long result = set_three(0);
  SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int cap = 0; cap < 64 && result >= 0; cap++)
    if (orders->cap_ambient >> cap & 1) result = SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  return result;
}

// Opens a file of our own in the container's process file system, and really there: no mount and no link is followed on the
// way, so that what is written can go nowhere else (CVE-2019-16884, CVE-2025-52881).
static long open_own(const char *path) {
  long proc = SYS(openat, AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (proc < 0) return proc;
  struct {
    long type, rest[15];
  } found;
  struct {
    uint64_t flags, mode, resolve;
  } how = {O_WRONLY | O_CLOEXEC, 0, RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};
  long result = SYS(fstatfs, proc, &found);
  if (result >= 0) result = found.type == PROC_SUPER_MAGIC ? SYS(openat2, proc, path, &how, sizeof how) : -ENOTDIR;
  SYS(close, proc);
  return result;
}

// apparmor(7): what the next execve is to be confined by. Kernels before 5.8 have one such file for all security modules.
static void take_profile(void) {
  if (!orders->apparmor.count) return;
  long fd = open_own("self/attr/apparmor/exec");
  if (fd == -ENOENT) fd = open_own("self/attr/exec");
  static char line[512] = "exec ";
  const char *name = text_of(orders->apparmor);
  size_t length = text_length(name);
  long result = fd < 0 ? fd : length + 6 > sizeof line ? -ENAMETOOLONG : 0;
  if (result == 0) {
    copy(line + 5, name, length + 1);
    result = SYS(write, fd, line, length + 5);
  }
  if (result < 0) fail(FD_CHANNEL, STAGE_APPARMOR, result);
  SYS(close, fd);
}

// seccomp(2). Without no_new_privs it takes CAP_SYS_ADMIN, which goes right behind it; all that is called after it is capset,
// prctl and execve. SPEC_ALLOW as runc: no brake for speculation on kernels that would put one on every filtered process.
static void filter_calls(void) {
  struct {
    uint16_t length;
    const void *filter;
  } program = {(uint16_t)(orders->seccomp.count / 2), text_of(orders->seccomp)};
  if (program.length == 0) return;
  long result = orders->no_new_privileges ? 0 : set_three(1ull << CAP_SYS_ADMIN);
  if (result < 0) fail(FD_CHANNEL, STAGE_CAPABILITIES, result);
  result = SYS(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
  if (result == -EINVAL) result = SYS(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
  if (result < 0) fail(FD_CHANNEL, STAGE_SECCOMP, result);
}

// setrlimit(2). Where a hard limit may not be raised (CAP_SYS_RESOURCE) it is as high as it is; the client has said so.
static void set_limits(void) {
  const uint32_t *word = (const uint32_t *)text_of(orders->rlimits);
  for (uint32_t i = 0; i + 5 <= orders->rlimits.count; i += 5, word += 5) {
    uint64_t wanted[2] = {word[1] | (uint64_t)word[2] << 32, word[3] | (uint64_t)word[4] << 32}, present[2];
    if (SYS(prlimit64, 0, word[0], wanted, 0) != -EPERM || SYS(prlimit64, 0, word[0], 0, present) < 0) continue;
    for (int half = 0; half < 2; half++)
      if (wanted[half] > present[1]) wanted[half] = present[1];
    SYS(prlimit64, 0, word[0], wanted, 0);
  }
}

// Groups before the user: afterwards there is no right to set them any more. A change of user takes the signal away that
// the parent's death sends (prctl(2), PR_SET_PDEATHSIG).
static void become_user(void) {
  int deathsig = 0;
  SYS(prctl, PR_GET_PDEATHSIG, &deathsig, 0, 0, 0);
  long result = SYS(setgroups, orders->groups.count, text_of(orders->groups));
  if (result >= 0) result = SYS(setresgid, orders->gid, orders->gid, orders->gid);
  if (result < 0) fail(FD_CHANNEL, STAGE_GROUPS, result);
  SYS(prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
  result = SYS(setresuid, orders->uid, orders->uid, orders->uid);
  if (result < 0) fail(FD_CHANNEL, STAGE_USER, result);
  SYS(prctl, PR_SET_PDEATHSIG, deathsig, 0, 0, 0);
}

// What the client or Bun ignored must not be ignored in the container: dispositions outlive execve.
static void reset_signals(void) {
  uint64_t act[4] = {0, 0, 0, 0}, none = 0;
  for (int signal = 1; signal <= 64; signal++) SYS(rt_sigaction, signal, act, 0, 8);
  SYS(rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
}

// execvp(3) with the new environment's PATH. ENOENT where no folder has it, EACCES where only files
// that may not be run were found.
static long exec_found(char **argv, char **env) {
  const char *name = argv[0];
  for (const char *c = name; *c; c++)
    if (*c == '/') return SYS(execve, name, argv, env);
  const char *path = "";
  for (char **entry = env; *entry; entry++)
    if (text_starts(*entry, "PATH=")) path = *entry + 5;
  long worst = -ENOENT;
  size_t name_length = text_length(name);
  char full[4096];
  while (*path && name_length) {
    size_t length = 0;
    while (path[length] && path[length] != ':') length++;
    if (length > 0 && length + name_length + 2 <= sizeof full) {
      copy(full, path, length);
      full[length] = '/';
      copy(full + length + 1, name, name_length + 1);
      long result = SYS(execve, full, argv, env);
      if (result != -ENOENT && result != -ENOTDIR && result != -EACCES) return result;
      if (result == -EACCES) worst = result;
    }
    path += length + (path[length] == ':');
  }
  return worst;
}

// cgroup v1: "0" to `tasks` moves the caller alone and needs no lock over all processes, which
// cgroup.procs would take at the price of an RCU grace period (6 ms here).
void join_cgroups(void) {
  const char *path = text_of(orders->joins);
  for (uint32_t i = 0; i < orders->joins.count; i++, path = next_text(path)) {
    long fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    long result = fd < 0 ? fd : SYS(write, fd, "0", 1);
    if (result < 0) fail(FD_CHANNEL, STAGE_CGROUP, result);
    SYS(close, fd);
  }
}

// Without `stdio` it has its streams already.
__attribute__((noreturn)) void run_program(const struct stdio *stdio) {
  SYS(setsid);
  // a session keyring of its own: the caller's keys are not the container's
  SYS(keyctl, 1, 0);
  if (stdio) take_stdio(stdio);
  own_stdio();
  take_null();
  long result = has_flag(FLAG_TTY) ? SYS(ioctl, 0, TIOCSCTTY, 0) : 0;
  if (result < 0) fail(FD_CHANNEL, STAGE_TERMINAL, result);
  SYS(close_range, FD_CONTROL, FD_CHANNEL - 1, 0);
  SYS(close_range, FD_CHANNEL + 1, ~0u, 0);
  SYS(fcntl, FD_CHANNEL, F_SETFD, FD_CLOEXEC);
  SYS(umask, orders->umask);
  set_limits();
  const char *cwd = text_of(orders->cwd);
  // root may enter folders that the user may not, and on NFS the other way round: try as both
  long entered = SYS(chdir, cwd);
  drop_bounding();
  become_user();
  if (entered < 0) entered = SYS(chdir, cwd);
  if (entered < 0) fail(FD_CHANNEL, STAGE_CWD, entered);
  char **argv = texts_of(orders->argv), **env = texts_of(orders->env);
  if (!argv || !env) fail(FD_CHANNEL, STAGE_MEMORY, -ENOMEM);
  reset_signals();
  take_profile();
  if (orders->no_new_privileges) SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  send_message(FD_CHANNEL, MESSAGE_EXECING, 0, 0, 0);
  filter_calls();
  result = set_capabilities();
  if (result < 0) fail(FD_CHANNEL, STAGE_CAPABILITIES, result);
  if (has_flag(FLAG_REAPER)) become_reaping_init();
  fail(FD_CHANNEL, STAGE_EXEC, exec_found(argv, env));
}
