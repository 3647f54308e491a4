// The floor: the kernel work of `mydocker run --rm --network none busybox true`, and nothing else.
//   floor STATE LOWER CMD...     runs CMD in a container made of the folder LOWER
//   floor --exec PID CMD...      runs CMD in the container that PID is in
//   floor --beside PID CMD...    becomes CMD in the mount namespace of PID (for peers that refuse the host's cgroups)
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// not <sys/mount.h>: it and <linux/mount.h> define the same names
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
int unshare(int);
int setns(int, int);
#define DETACH 2

#define HIERARCHIES 16
#define PATH 4096
#define TIGHT (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)

struct hierarchy {
  char path[256], names[64], group[512];
};
static struct hierarchy hierarchies[HIERARCHIES];
static int hierarchy_count;
static char unified[256];
static int out_pipe[2], err_pipe[2];

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...) {
  int error = errno;
  va_list args;
  va_start(args, format);
  fprintf(stderr, "floor: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, ": %s\n", strerror(error));
  _exit(125);
}

__attribute__((format(printf, 2, 3))) static char *path_of(char *to, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int length = vsnprintf(to, PATH, format, args);
  va_end(args);
  if (length < 0 || length >= PATH) die("path too long");
  return to;
}

static void write_file(const char *path, int flags, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die("%s", path);
  close(fd);
}

static void do_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
  if (mount(source, target, type, flags, data) < 0) die("mount %s", target);
}

static int known_controller(const char *name) {
  static const char *const known[] = {"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i], name)) return 1;
  return 0;
}

// The v1 hierarchies, or the one v2 tree, as /proc/self/mounts has them.
static void find_cgroups(void) {
  FILE *file = fopen("/proc/self/mounts", "re");
  char line[PATH];
  if (!file) die("/proc/self/mounts");
  while (fgets(line, sizeof line, file)) {
    char path[256], type[64], options[512], names[64] = "";
    if (sscanf(line, "%*s %255s %63s %511s", path, type, options) != 3) continue;
    if (!strcmp(type, "cgroup2") && !*unified) strcpy(unified, path);
    if (strcmp(type, "cgroup") || hierarchy_count == HIERARCHIES) continue;
    for (char *save, *name = strtok_r(options, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
      if (!known_controller(name) || strlen(names) + strlen(name) + 2 > sizeof names) continue;
      if (*names) strcat(names, ",");
      strcat(names, name);
    }
    int seen = 0;
    for (int i = 0; i < hierarchy_count; i++) seen |= !strcmp(hierarchies[i].names, names);
    if (!*names || seen) continue;
    struct hierarchy *hierarchy = &hierarchies[hierarchy_count++];
    strcpy(hierarchy->path, path);
    strcpy(hierarchy->names, names);
  }
  fclose(file);
}

static int has_name(const char *names, const char *name) {
  size_t length = strlen(name);
  for (const char *at = names; (at = strstr(at, name)); at += length)
    if ((at == names || at[-1] == ',') && (at[length] == ',' || !at[length])) return 1;
  return 0;
}

static const char *const DEVICE_LINES[] = {"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm",
                                           "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"};
#define DEVICE_COUNT (sizeof DEVICE_LINES / sizeof *DEVICE_LINES)

static void make_groups_v1(int id) {
  char path[PATH];
  for (int i = 0; i < hierarchy_count; i++) {
    struct hierarchy *hierarchy = &hierarchies[i];
    if (!strcmp(hierarchy->names, "cpuset")) continue;
    snprintf(hierarchy->group, sizeof hierarchy->group, "%s/mydocker-floor-%d", hierarchy->path, id);
    if (mkdir(hierarchy->group, 0755) < 0) die("%s", hierarchy->group);
    if (has_name(hierarchy->names, "pids")) write_file(path_of(path, "%s/pids.max", hierarchy->group), 0, "2048");
    if (!has_name(hierarchy->names, "devices")) continue;
    write_file(path_of(path, "%s/devices.deny", hierarchy->group), 0, "a");
    for (size_t line = 0; line < DEVICE_COUNT; line++)
      write_file(path_of(path, "%s/devices.allow", hierarchy->group), 0, DEVICE_LINES[line]);
  }
}

static struct bpf_insn insn(int code, int dst, int src, int off, int imm) {
  return (struct bpf_insn){.code = (uint8_t)code, .dst_reg = dst & 15, .src_reg = src & 15, .off = (int16_t)off, .imm = imm};
}

// DEVICE_LINES as eBPF: r2 the type, r3 the access, r4 major, r5 minor; what no line allows is denied.
static int device_program(struct bpf_insn *to) {
  int n = 0;
  to[n++] = insn(0x61, 2, 1, 0, 0);
  to[n++] = insn(0xbf, 3, 2, 0, 0);
  to[n++] = insn(0x57, 2, 0, 0, 0xffff);
  to[n++] = insn(0x77, 3, 0, 0, 16);
  to[n++] = insn(0x61, 4, 1, 4, 0);
  to[n++] = insn(0x61, 5, 1, 8, 0);
  for (size_t i = 0; i < DEVICE_COUNT; i++) {
    int major = -1, minor = -1, tests[4], count = 0;
    if (sscanf(DEVICE_LINES[i], "%*c %d:%d", &major, &minor) < 1) major = -1;
    to[tests[count++] = n++] = insn(0x55, 2, 0, 0, DEVICE_LINES[i][0] == 'b' ? 1 : 2);
    if (major < 0) to[tests[count++] = n++] = insn(0x55, 3, 0, 0, 1);
    else to[tests[count++] = n++] = insn(0x55, 4, 0, 0, major);
    if (minor >= 0) to[tests[count++] = n++] = insn(0x55, 5, 0, 0, minor);
    to[n++] = insn(0xb7, 0, 0, 0, 1);
    to[n++] = insn(0x95, 0, 0, 0, 0);
    for (int test = 0; test < count; test++) to[tests[test]].off = (int16_t)(n - tests[test] - 1);
  }
  to[n++] = insn(0xb7, 0, 0, 0, 0);
  to[n++] = insn(0x95, 0, 0, 0, 0);
  return n;
}

// Returns the group's folder, open for CLONE_INTO_CGROUP. The controllers are those that `top` hands down already.
static int make_group_v2(int id) {
  char path[PATH];
  struct bpf_insn program[128];
  snprintf(hierarchies[0].group, sizeof hierarchies[0].group, "%s/mydocker-floor-%d", unified, id);
  hierarchy_count = 1;
  if (mkdir(hierarchies[0].group, 0755) < 0) die("%s", hierarchies[0].group);
  if (access(path_of(path, "%s/pids.max", hierarchies[0].group), W_OK) == 0) write_file(path, 0, "2048");
  int group = open(hierarchies[0].group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (group < 0) die("%s", hierarchies[0].group);
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insns = (uintptr_t)program, .license = (uintptr_t)"GPL"};
  load.insn_cnt = (uint32_t)device_program(program);
  long loaded = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (loaded < 0) die("bpf");
  union bpf_attr attach = {.target_fd = (uint32_t)group, .attach_bpf_fd = (uint32_t)loaded};
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0) die("bpf attach");
  close((int)loaded);
  return group;
}

// `tasks`, not cgroup.procs: that would wait for an RCU grace period.
static void join_groups_v1(void) {
  char path[PATH];
  for (int i = 0; i < hierarchy_count; i++)
    if (*hierarchies[i].group) write_file(path_of(path, "%s/tasks", hierarchies[i].group), 0, "0");
}

// A group stays busy for a moment after its last process was reaped.
static void remove_groups(void) {
  for (int i = 0; i < hierarchy_count; i++) {
    if (!*hierarchies[i].group) continue;
    for (int tries = 0; tries < 400 && rmdir(hierarchies[i].group) < 0 && errno == EBUSY; tries++)
      nanosleep(&(struct timespec){0, tries < 10 ? 200000 : 5000000}, NULL);
  }
}

static void make_devices(void) {
  static const struct {
    const char *path;
    unsigned major, minor;
  } nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
               {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                         {"/proc/self/fd/0", "dev/stdin"},
                                         {"/proc/self/fd/1", "dev/stdout"},
                                         {"/proc/self/fd/2", "dev/stderr"},
                                         {"pts/ptmx", "dev/ptmx"}};
  umask(0);
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
    if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0) die("%s", nodes[i].path);
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlink(links[i][0], links[i][1]) < 0) die("%s", links[i][1]);
  umask(022);
}

static void make_readonly(const char *path, unsigned flags) {
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
  if (syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof attr) < 0) die("read-only %s", path);
}

static void mount_cgroups(void) {
  const char *top = "sys/fs/cgroup";
  char path[PATH];
  if (*unified && hierarchy_count == 1 && !*hierarchies[0].names) {
    do_mount("cgroup", top, "cgroup2", TIGHT | MS_RDONLY, NULL);
    return;
  }
  do_mount("tmpfs", top, "tmpfs", TIGHT, "mode=755");
  for (int i = 0; i < hierarchy_count; i++) {
    const char *names = hierarchies[i].names;
    mkdir(path_of(path, "%s/%s", top, names), 0755);
    do_mount("cgroup", path, "cgroup", TIGHT | MS_RDONLY, names);
    char copy[64];
    strcpy(copy, names);
    if (!strchr(names, ',')) continue;
    for (char *save, *name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save))
      if (symlink(names, path_of(path, "%s/%s", top, name)) < 0) die("%s", path);
  }
  make_readonly(top, 0);
}

static void hide_paths(void) {
  static const char *const masked[] = {
      "proc/acpi",        "proc/asound", "proc/interrupts", "proc/kcore",      "proc/keys",
      "proc/latency_stats", "proc/sched_debug", "proc/scsi", "proc/timer_list", "proc/timer_stats",
      "sys/devices/virtual/powercap", "sys/firmware", "sys/fs/selinux"};
  static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
  const char *emptied = NULL;
  for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
    struct stat status;
    if (stat(masked[i], &status) < 0) continue;
    if (!S_ISDIR(status.st_mode)) {
      do_mount("/dev/null", masked[i], NULL, MS_BIND, NULL);
    } else if (emptied) {
      do_mount(emptied, masked[i], NULL, MS_BIND, NULL);
    } else {
      do_mount("tmpfs", masked[i], "tmpfs", TIGHT | MS_RDONLY, "size=0k");
      emptied = masked[i];
    }
  }
  for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
    if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0) {
      if (errno == ENOENT) continue;
      die("bind %s", readonly[i]);
    }
    make_readonly(readonly[i], AT_RECURSIVE);
  }
}

static void bind_etc(const char *state) {
  static const char *const names[] = {"hosts", "hostname", "resolv.conf"};
  char from[PATH], to[PATH];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    path_of(from, "%s/%s", state, names[i]);
    path_of(to, "etc/%s", names[i]);
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0) continue;
    mkdir("etc", 0755);
    write_file(to, O_CREAT, "");
    do_mount(from, to, NULL, MS_BIND | MS_REC, NULL);
  }
}

static void build_root(const char *state) {
  char merged[PATH];
  do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (chdir(path_of(merged, "%s/merged", state)) < 0) die("%s", merged);
  do_mount("proc", "proc", "proc", TIGHT, NULL);
  do_mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  make_devices();
  mkdir("dev/pts", 0755), mkdir("dev/mqueue", 0755), mkdir("dev/shm", 0755);
  do_mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5");
  do_mount("sysfs", "sys", "sysfs", TIGHT | MS_RDONLY, NULL);
  mount_cgroups();
  do_mount("mqueue", "dev/mqueue", "mqueue", TIGHT, NULL);
  do_mount("tmpfs", "dev/shm", "tmpfs", TIGHT, "mode=1777,size=67108864");
  bind_etc(state);
  hide_paths();
  if (syscall(SYS_pivot_root, ".", ".") < 0) die("pivot_root");
  if (umount2(".", DETACH) < 0) die("umount of the old root");
  if (chdir("/") < 0) die("chdir");
}

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) die("lo");
  request.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("lo");
  close(fd);
}

// Docker's 14: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot
// mknod audit_write setfcap.
static void drop_capabilities(void) {
  const uint32_t kept = 0xa80425fb;
  for (int cap = 0; cap < 64; cap++)
    if ((cap > 31 || !(kept >> cap & 1)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) break;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{kept, kept, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, data) < 0) die("capset");
}

__attribute__((noreturn)) static void run_program(char **argv, const char *hostname) {
  setsid();
  syscall(SYS_keyctl, 1, NULL);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, 0), dup2(out_pipe[1], 1), dup2(err_pipe[1], 2);
  drop_capabilities();
  signal(SIGINT, SIG_DFL), signal(SIGTERM, SIG_DFL);
  clearenv();
  setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("HOSTNAME", hostname, 1);
  setenv("HOME", "/root", 1);
  execvp(argv[0], argv);
  int code = errno == ENOENT ? 127 : 126;
  perror(argv[0]);
  _exit(code);
}

static long new_process(uint64_t flags, int group) {
  struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
  if (group >= 0) args.flags |= CLONE_INTO_CGROUP, args.cgroup = (uint64_t)group;
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) die("clone3");
  return pid;
}

static void make_pipes(void) {
  if (pipe2(out_pipe, O_CLOEXEC) < 0 || pipe2(err_pipe, O_CLOEXEC) < 0) die("pipe");
}

// Hands the program's output on until both pipes have ended, then returns its exit code.
static int drain_and_wait(pid_t pid) {
  struct pollfd list[2] = {{out_pipe[0], POLLIN, 0}, {err_pipe[0], POLLIN, 0}};
  char data[16384];
  close(out_pipe[1]), close(err_pipe[1]);
  while (list[0].fd >= 0 || list[1].fd >= 0) {
    if (poll(list, 2, -1) < 0) continue;
    for (int i = 0; i < 2; i++) {
      if (list[i].fd < 0 || !list[i].revents) continue;
      ssize_t got = read(list[i].fd, data, sizeof data);
      if (got <= 0 || write(i + 1, data, (size_t)got) < 0) list[i].fd = -1;
    }
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void remove_tree(int folder, const char *name) {
  if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) return;
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (!list) die("remove %s", name);
  for (struct dirent *entry; (entry = readdir(list));)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove_tree(dirfd(list), entry->d_name);
  closedir(list);
  if (unlinkat(folder, name, AT_REMOVEDIR) < 0) die("rmdir %s", name);
}

static void write_etc(const char *state, const char *hostname) {
  char path[PATH], text[16384];
  write_file(path_of(path, "%s/hosts", state), O_CREAT | O_EXCL,
             "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
             "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
  snprintf(text, sizeof text, "%s\n", hostname);
  write_file(path_of(path, "%s/hostname", state), O_CREAT | O_EXCL, text);
  int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  text[got > 0 ? got : 0] = 0;
  if (fd >= 0) close(fd);
  write_file(path_of(path, "%s/resolv.conf", state), O_CREAT | O_EXCL, text);
}

static void mount_overlay(const char *state, const char *lower) {
  static const char *const folders[] = {"upper", "work", "merged"};
  char path[PATH], data[3 * PATH];
  if (mkdir(state, 0700) < 0) die("%s", state);
  for (int i = 0; i < 3; i++)
    if (mkdir(path_of(path, "%s/%s", state, folders[i]), i == 0 ? 0755 : 0700) < 0) die("%s", path);
  snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,volatile", lower, state, state);
  do_mount("overlay", path, "overlay", 0, data);
}

static int run(const char *where, const char *lower, char **argv) {
  char state[PATH], merged[PATH], hostname[64];
  int id = getpid(), group = -1;
  path_of(state, "%s/%d", where, id);
  snprintf(hostname, sizeof hostname, "floor-%d", id);
  mount_overlay(state, lower);
  write_etc(state, hostname);
  find_cgroups();
  if (hierarchy_count > 0) make_groups_v1(id);
  else if (*unified) group = make_group_v2(id);
  make_pipes();
  long pid = new_process(NAMESPACES, group);
  if (pid == 0) {
    if (group < 0) join_groups_v1();
    if (unshare(CLONE_NEWCGROUP) < 0) die("unshare");
    loopback_up();
    if (sethostname(hostname, strlen(hostname)) < 0) die("sethostname");
    build_root(state);
    run_program(argv, hostname);
  }
  int code = drain_and_wait((pid_t)pid);
  if (umount2(path_of(merged, "%s/merged", state), DETACH) < 0) die("umount %s", merged);
  if (group >= 0) close(group);
  remove_groups();
  remove_tree(AT_FDCWD, state);
  return code;
}

// The groups that `pid` is in; on pure v2 the descriptor of its one group.
static int find_groups_of(int pid) {
  char path[PATH], line[PATH];
  int group = -1;
  FILE *file = fopen(path_of(path, "/proc/%d/cgroup", pid), "re");
  if (!file) die("%s", path);
  while (fgets(line, sizeof line, file)) {
    char *names = strchr(line, ':'), *folder = names ? strchr(names + 1, ':') : NULL;
    if (!folder) continue;
    *folder++ = 0;
    folder[strcspn(folder, "\n")] = 0;
    if (!names[1] && hierarchy_count == 0) {
      group = open(path_of(path, "%s%s", unified, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (group < 0) die("%s", path);
    }
    for (int i = 0; i < hierarchy_count && strcmp(folder, "/"); i++)
      if (!strcmp(hierarchies[i].names, names + 1))
        snprintf(hierarchies[i].group, sizeof hierarchies[i].group, "%s%.240s", hierarchies[i].path, folder);
  }
  fclose(file);
  return group;
}

static int exec_in(int pid, char **argv) {
  find_cgroups();
  int group = find_groups_of(pid);
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) die("pid %d", pid);
  make_pipes();
  if (group < 0) join_groups_v1();
  if (setns(pidfd, NAMESPACES | CLONE_NEWCGROUP) < 0) die("setns");
  long child = new_process(0, group);
  if (child == 0) run_program(argv, "floor");
  return drain_and_wait((pid_t)child);
}

static int beside(int pid, char **argv) {
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0 || setns(pidfd, CLONE_NEWNS) < 0) die("pid %d", pid);
  execvp(argv[0], argv);
  die("%s", argv[0]);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: floor STATE LOWER CMD... | floor --exec PID CMD...\n");
    return 125;
  }
  if (!strcmp(argv[1], "--beside")) return beside(atoi(argv[2]), argv + 3);
  // Ctrl-C reaches the whole foreground group: what was made must still be removed
  signal(SIGINT, SIG_IGN), signal(SIGTERM, SIG_IGN);
  umask(022);
  if (!strcmp(argv[1], "--exec")) return exec_in(atoi(argv[2]), argv + 3);
  return run(argv[1], argv[2], argv + 3);
}
