/*
 * The floor: the kernel work of `mydocker run --rm --network none ROOTFS COMMAND`, and of `mydocker exec`, in
 * straight-line C and nothing else: no image store, no record, no log, no options.
 *
 *   floor LOWER STATE COMMAND [ARG...]     a container on the unpacked root file system LOWER
 *   floor --exec PID COMMAND [ARG...]      a command in the container whose first process is PID
 *
 * Every error is fatal. The exit code is the command's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CGROUPS "/sys/fs/cgroup"
#define TIGHT (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)

// The v1 hierarchies in which a container gets a group; cpuset only when it is limited by it.
static const char *const controllers[] = {"cpu", "cpuacct", "memory", "devices", "freezer", "blkio", "pids"};
static int pure_v2;
static char folder[4096], merged[4200], group[64];

static void check(long result, const char *what) {
  if (result >= 0) return;
  perror(what);
  _exit(125);
}

// A and B as a path; good until the next but two.
static const char *path_of(const char *a, const char *b) {
  static char path[3][4600];
  static int turn;
  char *out = path[turn++ % 3];
  snprintf(out, sizeof path[0], "%.4200s/%.300s", a, b);
  return out;
}

// A file of our group in one v1 hierarchy, or the group itself; good until the next.
static const char *group_path(const char *controller, const char *file) {
  static char path[256];
  snprintf(path, sizeof path, CGROUPS "/%s/%s%s", controller, group, file);
  return path;
}

static void write_file(const char *path, int flags, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
  check(fd, path);
  check(write(fd, text, strlen(text)), path);
  close(fd);
}

static void make_folder(const char *path) {
  if (mkdir(path, 0755) < 0 && errno != EEXIST) check(-1, path);
}

// ---- what the host's side prepares ----

static void find_cgroups(void) {
  struct statfs stat;
  check(statfs(CGROUPS, &stat), CGROUPS);
  pure_v2 = stat.f_type == CGROUP2_SUPER_MAGIC;
}

// Whether the hierarchy is there and mounted by itself, not a link to one that several controllers share.
static int has_hierarchy(const char *name) {
  struct stat stat;
  return lstat(path_of(CGROUPS, name), &stat) == 0 && S_ISDIR(stat.st_mode);
}

static void make_folders(const char *lower, const char *state) {
  char upper[4200], work[4200], data[16384];
  make_folder(state);
  snprintf(folder, sizeof folder, "%s/%d", state, getpid());
  snprintf(upper, sizeof upper, "%s/upper", folder);
  snprintf(work, sizeof work, "%s/work", folder);
  snprintf(merged, sizeof merged, "%s/merged", folder);
  check(mkdir(folder, 0700), folder);
  check(mkdir(upper, 0755), upper);
  check(mkdir(work, 0700), work);
  check(mkdir(merged, 0700), merged);
  snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s,workdir=%s,volatile", lower, upper, work);
  check(mount("overlay", merged, "overlay", 0, data), "mount overlay");
}

static void write_etc(void) {
  write_file(path_of(folder, "hosts"), O_CREAT, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
  write_file(path_of(folder, "hostname"), O_CREAT, "floor\n");
  write_file(path_of(folder, "resolv.conf"), O_CREAT, "nameserver 127.0.0.1\n");
}

// The engine's device rules: any node may be made, only these may be opened.
static void limit_devices(void) {
  static const char *const allowed[] = {"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",  "c 1:8 rwm",
                                        "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"};
  if (!has_hierarchy("devices")) return;
  write_file(group_path("devices", "/devices.deny"), 0, "a");
  for (size_t i = 0; i < COUNT(allowed); i++)
    write_file(group_path("devices", "/devices.allow"), 0, allowed[i]);
}

// Returns the v2 group's descriptor, -1 on v1.
static int make_cgroups(void) {
  snprintf(group, sizeof group, "mydocker-floor-%d", getpid());
  if (pure_v2) {
    check(mkdir(path_of(CGROUPS, group), 0755), "mkdir cgroup");
    int fd = open(path_of(CGROUPS, group), O_PATH | O_DIRECTORY | O_CLOEXEC);
    check(fd, "open cgroup");
    return fd;
  }
  for (size_t i = 0; i < COUNT(controllers); i++) {
    if (!has_hierarchy(controllers[i])) continue;
    check(mkdir(group_path(controllers[i], ""), 0755), controllers[i]);
  }
  limit_devices();
  if (has_hierarchy("pids")) write_file(group_path("pids", "/pids.max"), 0, "2048");
  return -1;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at) {
  (void)stat, (void)type, (void)at;
  return remove(path);
}

static void clean_up(void) {
  check(umount2(merged, MNT_DETACH), "umount overlay");
  if (pure_v2) check(rmdir(path_of(CGROUPS, group)), "rmdir cgroup");
  for (size_t i = 0; i < COUNT(controllers) && !pure_v2; i++) {
    if (!has_hierarchy(controllers[i])) continue;
    check(rmdir(group_path(controllers[i], "")), controllers[i]);
  }
  check(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), folder);
}

// ---- what the container's side does, in its working folder: the new root ----

// "0" to `tasks` moves the caller alone; cgroup.procs would wait for an RCU grace period.
static void join_cgroups(void) {
  for (size_t i = 0; i < COUNT(controllers) && !pure_v2; i++)
    if (has_hierarchy(controllers[i])) write_file(group_path(controllers[i], "/tasks"), 0, "0");
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data) {
  make_folder(target);
  check(mount(type, target, type, flags, data), target);
}

static void make_devices(void) {
  static const struct {
    const char *path;
    int major, minor;
  } nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
               {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                         {"/proc/self/fd/0", "dev/stdin"},
                                         {"/proc/self/fd/1", "dev/stdout"},
                                         {"/proc/self/fd/2", "dev/stderr"},
                                         {"pts/ptmx", "dev/ptmx"}};
  umask(0);
  for (size_t i = 0; i < COUNT(nodes); i++)
    check(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
  for (size_t i = 0; i < COUNT(links); i++) check(symlink(links[i][0], links[i][1]), links[i][1]);
  umask(022);
}

static void mount_cgroup_view(void) {
  static const char target[] = "sys/fs/cgroup";
  if (pure_v2) {
    mount_at("cgroup2", target, TIGHT | MS_RDONLY, NULL);
    return;
  }
  mount_at("tmpfs", target, TIGHT, "mode=755");
  for (size_t i = 0; i <= COUNT(controllers); i++) {
    const char *name = i < COUNT(controllers) ? controllers[i] : "cpuset";
    if (!has_hierarchy(name)) continue;
    const char *path = path_of(target, name);
    make_folder(path);
    check(mount("cgroup", path, "cgroup", TIGHT | MS_RDONLY, name), path);
  }
  check(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | TIGHT, NULL), "remount cgroup view");
}

static void bind_etc(void) {
  static const char *const names[] = {"hosts", "hostname", "resolv.conf"};
  make_folder("etc");
  for (size_t i = 0; i < COUNT(names); i++) {
    const char *target = path_of("etc", names[i]);
    int fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0) close(fd);
    check(mount(path_of(folder, names[i]), target, NULL, MS_BIND, NULL), target);
  }
}

static void mask_paths(void) {
  static const char *const masked[] = {
      "proc/acpi",          "proc/asound", "proc/interrupts",  "proc/kcore",      "proc/keys",
      "proc/latency_stats", "proc/scsi",   "proc/sched_debug", "proc/timer_list", "proc/timer_stats",
      "sys/devices/virtual/powercap", "sys/firmware", "sys/fs/selinux"};
  const char *empty = NULL;
  for (size_t i = 0; i < COUNT(masked); i++) {
    struct stat stat;
    if (lstat(masked[i], &stat) < 0) continue;
    if (!S_ISDIR(stat.st_mode)) check(mount("/dev/null", masked[i], NULL, MS_BIND, NULL), masked[i]);
    else if (empty) check(mount(empty, masked[i], NULL, MS_BIND, NULL), masked[i]);
    else mount_at("tmpfs", empty = masked[i], TIGHT | MS_RDONLY, "size=0k");
  }
}

static void protect_paths(void) {
  static const char *const paths[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
  for (size_t i = 0; i < COUNT(paths); i++) {
    if (access(paths[i], F_OK) < 0) continue;
    check(mount(paths[i], paths[i], NULL, MS_BIND | MS_REC, NULL), paths[i]);
    check(mount(NULL, paths[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | TIGHT, NULL), paths[i]);
  }
}

static void build_root(void) {
  check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
  check(chdir(merged), merged);
  mount_at("proc", "proc", TIGHT, NULL);
  mount_at("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  make_devices();
  mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5");
  mount_at("sysfs", "sys", TIGHT | MS_RDONLY, NULL);
  mount_cgroup_view();
  mount_at("mqueue", "dev/mqueue", TIGHT, NULL);
  mount_at("tmpfs", "dev/shm", TIGHT, "mode=1777,size=67108864");
  bind_etc();
  mask_paths();
  protect_paths();
}

static void set_up_network(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(fd, "socket");
  check(ioctl(fd, SIOCGIFFLAGS, &request), "SIOCGIFFLAGS lo");
  request.ifr_flags |= IFF_UP;
  check(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS lo");
  close(fd);
  write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", 0, "0");
  write_file("/proc/sys/net/ipv4/ping_group_range", 0, "0 2147483647");
}

static void pivot(void) {
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "umount the old root");
  check(chdir("/"), "chdir /");
}

static void drop_capabilities(void) {
  static const int kept[] = {CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,  CAP_FOWNER,           CAP_MKNOD,
                             CAP_NET_RAW, CAP_SETGID,       CAP_SETUID,  CAP_SETFCAP,          CAP_SETPCAP,
                             CAP_KILL,    CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE};
  unsigned long long set = 0;
  for (size_t i = 0; i < COUNT(kept); i++) set |= 1ULL << kept[i];
  for (int cap = 0; cap < 64; cap++)
    if (!(set >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) break;  // EINVAL: behind the last one
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{set, set, 0}, {set >> 32, set >> 32, 0}};
  check(syscall(SYS_capset, &header, data), "capset");
}

__attribute__((noreturn)) static void run_command(char **argv, const int out[2], const int err[2]) {
  static char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=floor",
                        "HOME=/root", NULL};
  check(setsid(), "setsid");
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
  check(dup2(out[1], 1), "dup2");
  check(dup2(err[1], 2), "dup2");
  check(close_range(3, ~0u, 0), "close_range");
  drop_capabilities();
  environ = env;
  execvp(argv[0], argv);
  perror(argv[0]);
  _exit(errno == ENOENT ? 127 : 126);
}

// ---- both ways ----

static pid_t new_process(unsigned long long flags, int cgroup) {
  struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = cgroup;
  }
  long pid = syscall(SYS_clone3, &args, sizeof args);
  check(pid, "clone3");
  return pid;
}

static void make_pipes(int out[2], int err[2]) {
  check(pipe2(out, O_CLOEXEC), "pipe");
  check(pipe2(err, O_CLOEXEC), "pipe");
}

// Passes on what the command writes until nobody can write any more, then returns its exit code.
static int wait_for(pid_t pid, int out[2], int err[2]) {
  struct pollfd ends[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  static char buffer[65536];
  int status, open_ends = 2;
  close(out[1]);
  close(err[1]);
  while (open_ends > 0) {
    check(poll(ends, 2, -1), "poll");
    for (int i = 0; i < 2; i++) {
      if (!ends[i].revents) continue;
      ssize_t got = read(ends[i].fd, buffer, sizeof buffer);
      check(got, "read");
      if (got > 0) check(write(i + 1, buffer, got), "write");
      else ends[i].fd = -1, open_ends--;
    }
  }
  check(waitpid(pid, &status, 0), "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *lower, const char *state, char **argv) {
  int out[2], err[2];
  make_folders(lower, state);
  write_etc();
  int cgroup = make_cgroups();
  make_pipes(out, err);
  pid_t pid = new_process(NAMESPACES, cgroup);
  if (pid == 0) {
    join_cgroups();
    check(unshare(CLONE_NEWCGROUP), "unshare cgroup");
    build_root();
    check(sethostname("floor", 5), "sethostname");
    set_up_network();
    pivot();
    run_command(argv, out, err);
  }
  int code = wait_for(pid, out, err);
  clean_up();
  return code;
}

// Finds the group of the container's first process: the last part of a line of /proc/PID/cgroup.
static void find_group(const char *pid) {
  static char text[8192];
  char path[64];
  snprintf(path, sizeof path, "/proc/%.16s/cgroup", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  check(fd, path);
  ssize_t got = read(fd, text, sizeof text - 1);
  check(got, path);
  close(fd);
  char *line = strstr(text, pure_v2 ? "0::/" : ":pids:/");
  errno = ENOENT;
  if (!line || sscanf(strchr(line, '/'), "/%63[^/\n]", group) != 1) check(-1, "the container's cgroup");
}

static int exec_in(const char *target, char **argv) {
  int out[2], err[2], cgroup = -1;
  find_group(target);
  int pidfd = syscall(SYS_pidfd_open, atoi(target), 0);
  check(pidfd, "pidfd_open");
  if (pure_v2) check(cgroup = open(path_of(CGROUPS, group), O_PATH | O_DIRECTORY | O_CLOEXEC), "open cgroup");
  make_pipes(out, err);
  check(setns(pidfd, CLONE_NEWPID), "setns pid");  // only children enter it: one fork does for all
  pid_t pid = new_process(0, cgroup);
  if (pid == 0) {
    join_cgroups();
    check(setns(pidfd, (NAMESPACES & ~CLONE_NEWPID) | CLONE_NEWCGROUP), "setns");
    run_command(argv, out, err);
  }
  return wait_for(pid, out, err);
}

int main(int argc, char **argv) {
  find_cgroups();
  if (argc >= 4 && strcmp(argv[1], "--exec") == 0) return exec_in(argv[2], argv + 3);
  if (argc >= 4) return run(argv[1], argv[2], argv + 3);
  fprintf(stderr, "usage: floor LOWER STATE COMMAND [ARG...]\n       floor --exec PID COMMAND [ARG...]\n");
  return 125;
}
