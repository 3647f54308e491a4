#include "shim.h"

// pid 1 of the container until it is the user's program.
__attribute__((noreturn)) static void init_main(const struct stdio *stdio) {
  name_process("mydocker:init");
  SYS(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  SYS(close, FD_SUBJECT);
  SYS(close, FD_CONTROL);
  long joined = has_flag(FLAG_JOIN_NETWORK) ? SYS(setns, FD_NETNS, CLONE_NEWNET) : 0;
  if (joined >= 0 && has_flag(FLAG_JOIN_IPC)) joined = SYS(setns, FD_IPCNS, CLONE_NEWIPC);
  if (joined < 0) fail(FD_CHANNEL, STAGE_SETNS, joined);
  // the namespaces are there; what the rest needs is still being made
  await_orders(FD_CHANNEL);
  join_cgroups();
  // after joining: the namespace's root is the group that its maker is in
  long result = has_flag(FLAG_HOST_CGROUPS) ? 0 : SYS(unshare, CLONE_NEWCGROUP);
  if (result < 0) fail(FD_CHANNEL, STAGE_CGROUPNS, result);
  result = SYS(mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0);
  if (result < 0) fail(FD_CHANNEL, STAGE_PRIVATE, result);
  if (orders->proc_at.count) {
    // proc shows the pid namespace of the process that mounts it, so it must be this one
    result = SYS(mount, "proc", text_of(orders->proc_at), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
    if (result < 0) fail(FD_CHANNEL, STAGE_PROC, result);
  }
  if (orders->hostname.count) {
    const char *hostname = text_of(orders->hostname);
    result = SYS(sethostname, hostname, text_length(hostname));
    if (result < 0) fail(FD_CHANNEL, STAGE_HOSTNAME, result);
  }
  // pivot_root moves another process only where its root and folder are the old root
  SYS(chdir, "/");
  send_message(FD_CHANNEL, MESSAGE_READY, 0, 0, 0);
  struct message message;
  if (receive_message(FD_CHANNEL, &message, 0) != 1 || message.kind != MESSAGE_GO) leave(125);
  SYS(chdir, "/");
  run_program(stdio);
}

// Writes a record aside, then renames it into place; relative paths are in the container's folder.
static void write_report(const char *path, const char *text, struct end end) {
  static char aside[4096];
  size_t length = text_length(path), room = text_length(text) + 64, done = 0;
  char *filled = more_memory(room);
  if (!filled || length + 5 > sizeof aside) return;
  size_t size = fill_in(filled, text, end);
  copy(aside, path, length);
  copy(aside + length, ".new", 5);
  long fd = SYS(openat, FD_SUBJECT, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  while (done < size) {
    long wrote = SYS(write, fd, filled + done, size - done);
    if (wrote < 0 && wrote != -EINTR) break;
    if (wrote > 0) done += (size_t)wrote;
  }
  if (has_flag(FLAG_DURABLE)) SYS(fsync, fd);
  SYS(close, fd);
  // a record cut short by a full disk must not replace a whole one
  if (done < size) SYS(unlinkat, FD_SUBJECT, aside, 0);
  else SYS(renameat, FD_SUBJECT, aside, FD_SUBJECT, path);
}

static void write_reports(struct end end) {
  const char *text = text_of(orders->reports);
  for (uint32_t i = 0; i + 1 < orders->reports.count; i += 2) {
    const char *content = next_text(text);
    write_report(text, content, end);
    text = next_text(content);
  }
}

// Whether a cgroup has groups below it: each is one more link (statx(2)).
static int has_groups(const char *path) {
  struct {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, rest[59];
  } found;
  return SYS(statx, AT_FDCWD, path, 0, STATX_NLINK, &found) == 0 && found.links > 2;
}

// A cgroup stays busy for a moment after its last process was reaped: up to two seconds are given. 0 where it is gone. With
// groups below it, it stays so: who comes next removes it (src/container/remains.ts).
static int remove_folder(const char *path) {
  for (int tries = 0; tries < 400; tries++) {
    long result = SYS(unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
    if (result != -EBUSY) return result != 0 && result != -ENOENT;
    if (tries == 0 && has_groups(path)) return 1;
    struct timespec pause = {0, tries < 10 ? 200000 : 5000000};
    SYS(nanosleep, &pause, 0);
  }
  return 1;
}

// In the folder of a container that has something which only JavaScript can give back: ports, its name among others.
#define UNSETTLED "unsettled"

static int is_unsettled(void) {
  return SYS(faccessat, FD_SUBJECT, UNSETTLED, 0) == 0;
}

// Every process of a group: those that share a pid namespace with others do not go with their first one.
static void kill_group(const char *folder) {
  long group = SYS(openat, AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (group < 0) return;
  for (int tries = 0; tries < 200; tries++) {
    char buffer[4096];
    long fd = SYS(openat, group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    long got = fd < 0 ? fd : SYS(read, fd, buffer, sizeof buffer);
    SYS(close, fd);
    if (got <= 0) break;
    long pid = 0;
    for (long at = 0; at < got; at++) {
      if (buffer[at] != '\n') pid = pid * 10 + buffer[at] - '0';
      else if (pid > 0) SYS(kill, pid, SIGKILL), pid = 0;
    }
    struct timespec pause = {0, 2000000};
    SYS(nanosleep, &pause, 0);
  }
  SYS(close, group);
}

// 0 where nothing is left.
static int run_undo(int unsettled) {
  const char *step = text_of(orders->undo);
  int left = 0;
  for (uint32_t i = 0; i < orders->undo.count; i++, step = next_text(step)) {
    if (text_starts(step, "umount ")) SYS(umount2, step + 7, MNT_DETACH);
    else if (text_starts(step, "kill ")) kill_group(step + 5);
    else if (text_starts(step, "rmdir ")) left |= remove_folder(step + 6);
    // what says what there is to be given back must stay until it is
    else if (text_starts(step, "unlink ") && !unsettled) SYS(unlinkat, AT_FDCWD, step + 7, 0);
    // what others may still be in
    else if (text_starts(step, "tidy ")) SYS(unlinkat, AT_FDCWD, step + 5, AT_REMOVEDIR);
  }
  return left;
}

// Whether something has come from the client, or it is gone, within so many milliseconds.
static int client_answers(int milliseconds) {
  struct pollfd client = {FD_CONTROL, POLLIN, 0};
  struct timespec most = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  return SYS(ppoll, &client, 1, &most, 0, 8) > 0;
}

// What the client decides about a program that has ended already. One that does not answer, as it was stopped or hangs,
// is as good as gone.
static void await_fate(enum fate *fate, int milliseconds) {
  struct message message;
  while (*fate == FATE_OPEN) {
    if (!client_answers(milliseconds) || receive_message(FD_CONTROL, &message, 0) != 1) *fate = FATE_ABANDONED;
    else if (message.kind == MESSAGE_COMMIT) *fate = FATE_COMMITTED;
    else if (message.kind == MESSAGE_DONE) *fate = FATE_DONE;
  }
}

// A JavaScript process in our place (and with our lock on the container's folder) that removes the container.
__attribute__((noreturn)) static void become_reaper(void) {
  char **argv = texts_of(orders->reaper), **env = texts_of(orders->reaper_env);
  if (argv && env) SYS(execve, "/proc/self/exe", argv, env);
  leave(125);
}

// The same for the rest of a container that stays.
__attribute__((noreturn)) static void become_settler(void) {
  char **argv = texts_of(orders->settler), **env = texts_of(orders->reaper_env);
  if (argv && env) SYS(execve, "/proc/self/exe", argv, env);
  leave(125);
}

// How deep folders are followed here; what lies deeper is the reaper's.
#define DEEPEST 24

// Removes a file, or a folder with all below it; never through a link. 0, or negative errno.
static long remove_tree(int parent, const char *name, int depth) {
  struct entry {
    uint64_t ino, off;
    uint16_t length;
    uint8_t type;
    char name[];
  };
  char buffer[2048] __attribute__((aligned(8)));
  long result = SYS(unlinkat, parent, name, 0), got;
  if (result != -EISDIR && result != -EPERM) return result == -ENOENT ? 0 : result;
  if (depth == DEEPEST) return -ELOOP;
  long fd = SYS(openat, parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fd;
  result = 0;
  while (result == 0 && (got = SYS(getdents64, fd, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < got && result == 0; at += ((struct entry *)(buffer + at))->length) {
      const char *inner = ((struct entry *)(buffer + at))->name;
      if (inner[0] == '.' && (!inner[1] || (inner[1] == '.' && !inner[2]))) continue;
      result = remove_tree((int)fd, inner, depth + 1);
    }
  }
  SYS(close, fd);
  return result ? result : SYS(unlinkat, parent, name, AT_REMOVEDIR);
}

// Who reads a layer for a commit holds a lock on its folder (src/container/overlay.ts).
static int remove_folders(void) {
  const char *path = text_of(orders->remove);
  long result = 0;
  for (uint32_t i = 0; i < orders->remove.count; i++, path = next_text(path)) {
    long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (i == 0) SYS(flock, fd, LOCK_EX);
    result |= remove_tree(AT_FDCWD, path, 0);
    SYS(close, fd);
  }
  return result == 0;
}

// A container that goes with its program: its client takes record and name away, quickly, and the rest is ours. A client
// that does not answer is not waited for, and the container is not taken for a running one meanwhile.
__attribute__((noreturn)) static void remove_container(struct end end, int left) {
  enum fate fate = FATE_OPEN;
  if (!client_answers(200)) write_reports(end);
  await_fate(&fate, 2000);
  if (fate != FATE_DONE || left || !remove_folders()) become_reaper();
  leave(0);
}

// The client still has output to take, and the person who reads it has all the time in the world: the container ends
// without it.
__attribute__((noreturn)) static void end_before_client(struct end end, int goes) {
  write_reports(end);
  int unsettled = is_unsettled();
  run_undo(unsettled);
  if ((goes || unsettled) && new_process(0, NULL) == 0) {
    detach_client();
    if (goes) become_reaper();
    become_settler();
  }
  SYS(close, FD_SUBJECT);
  SYS(close, FD_STATE);
  SYS(close, FD_LOG);
  // its ports are others' now
  SYS(close_range, ABOVE, ~0u, 0);
  deliver_rest();
  send_message(FD_CONTROL, MESSAGE_EXITED, end.code, 0, end.oom);
  leave(0);
}

// In the folder of a container that is being restarted.
#define RESTARTING "restarting"

// Nobody waits for what comes behind EXITED: unmounting, the groups, and where the container goes with its
// program, its folders.
__attribute__((noreturn)) static void end_container(enum fate fate, struct end end) {
  // whoever restarts a container wants to find it
  int goes = fate == FATE_COMMITTED && has_flag(FLAG_AUTO_REMOVE) && SYS(faccessat, FD_SUBJECT, RESTARTING, 0) != 0;
  if (fate == FATE_COMMITTED) {
    journal_end(end);
    if (client_is_behind()) end_before_client(end, goes);
    if (!goes) write_reports(end);
    send_message(FD_CONTROL, MESSAGE_EXITED, end.code, goes, end.oom);
  }
  int unsettled = is_unsettled(), left = run_undo(unsettled);
  await_proxy();
  // what was only half-made goes; a container that was to be started again stays as it was
  if (fate == FATE_ABANDONED && has_flag(FLAG_FRESH)) become_reaper();
  if (goes) remove_container(end, left || unsettled);
  if (unsettled) become_settler();
  leave(0);
}

// What a terminal or a stray `kill` sends must not end the container's parent.
static void ignore_signals(void) {
  static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM};
  uint64_t act[4] = {1, 0, 0, 0};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) SYS(rt_sigaction, ignored[i], act, 0, 8);
}

// Published ports are the container's as long as we live: their sockets stay open, above all numbers that mean something.
// Those with a port of the container's are to lead there.
static void hold_descriptors(void) {
  struct message message;
  int fds[MOST_FDS];
  int count = receive_descriptors(FD_CONTROL, &message, fds);
  for (int i = 0; i < count; i++) {
    int held = (int)SYS(fcntl, fds[i], F_DUPFD_CLOEXEC, ABOVE);
    SYS(close, fds[i]);
    if (message.a && held >= 0) hold_relay(held, message.a, message.b);
  }
}

// The namespace for children is set for that one child only: others of ours are not to be the container's.
static long new_init(uint64_t flags, int *pidfd) {
  if (!has_flag(FLAG_JOIN_PID)) return new_process(flags, pidfd);
  long own = SYS(openat, AT_FDCWD, "/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  long result = own < 0 ? own : SYS(setns, FD_PIDNS, CLONE_NEWPID);
  if (result < 0) fail(FD_CONTROL, STAGE_PIDNS, result);
  long pid = new_process(flags, pidfd);
  if (pid != 0) result = SYS(setns, own, CLONE_NEWPID);
  SYS(close, own);
  return result < 0 ? result : pid;
}

// The container's parent for its whole life.
__attribute__((noreturn)) void monitor_main(void) {
  struct stdio stdio;
  int pidfd = -1;
  enum fate fate = FATE_OPEN;
  name_process("mydocker:mon");
  ignore_signals();
  long result = make_stdio(&stdio);
  if (result < 0) fail(FD_CONTROL, STAGE_PIPE, result);
  uint64_t into = has_flag(FLAG_INTO_CGROUP) ? CLONE_INTO_CGROUP : 0;
  long pid = new_init(clone_flags | into, &pidfd);
  if (pid == 0) init_main(&stdio);
  if (pid < 0) fail(FD_CONTROL, STAGE_CLONE, pid);
  SYS(close, FD_CHANNEL);
  if (into) SYS(close, FD_CGROUP);
  if (has_flag(FLAG_JOIN_NETWORK)) SYS(close, FD_NETNS);
  if (has_flag(FLAG_JOIN_IPC)) SYS(close, FD_IPCNS);
  if (has_flag(FLAG_JOIN_PID)) SYS(close, FD_PIDNS);
  close_program_ends(&stdio);
  SYS(chdir, "/");
  send_message(FD_CONTROL, MESSAGE_CREATED, (int32_t)pid, 0, 0);
  struct message message;
  int got;
  while ((got = receive_message(FD_CONTROL, &message, MSG_PEEK)) == 1 && message.kind == MESSAGE_HOLD) hold_descriptors();
  if (got != 1) {
    // waited for, since who waits for us removes init's group next
    SYS(pidfd_send_signal, pidfd, SIGKILL, 0, 0);
    SYS(wait4, pid, 0, WALL, 0);
    leave(125);
  }
  await_orders(FD_CONTROL);
  watch_memory();
  int code = pump(&stdio, pidfd, (int)pid, &fate);
  end_proxy();
  await_fate(&fate, 30000);
  end_container(fate, (struct end){code, killed_for_memory()});
}
