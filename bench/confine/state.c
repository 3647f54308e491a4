/*
 * What a program in a container finds and may do, seen from inside: a line "section TAB name TAB value" each. Nothing is changed
 * that outlives the container: files are opened for writing, but not written.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(list) (sizeof list / sizeof *list)

static const char *word(int error) { return error ? strerrorname_np(error) : "yes"; }

static void say_line(const char *section, const char *name, const char *path) {
  char text[512];
  FILE *file = fopen(path, "r");
  if (!file || !fgets(text, sizeof text, file)) strcpy(text, file ? "(empty)" : word(errno));
  if (file) fclose(file);
  text[strcspn(text, "\n")] = 0;
  for (char *c = text; *c; c++)
    if (*c == '\t') *c = ' ';
  printf("%s\t%s\t%s\n", section, name, text);
}

static void say_status(void) {
  static const char *const names[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
                                      "Seccomp_filters", "Speculation_Store_Bypass", "SpeculationIndirectBranch",
                                      "Uid", "Gid", "Groups", "SigIgn", "SigBlk"};
  char text[512];
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(text, sizeof text, file))
    for (unsigned i = 0; i < COUNT(names); i++) {
      size_t length = strlen(names[i]);
      if (strncmp(text, names[i], length) || text[length] != ':') continue;
      char *value = text + length + 1;
      value += strspn(value, " \t");
      value[strcspn(value, "\n")] = 0;
      for (char *c = value; *c; c++)
        if (*c == '\t') *c = ' ';
      printf("status\t%s\t%s\n", names[i], value);
    }
  if (file) fclose(file);
  mode_t mask = umask(0);
  umask(mask);
  printf("status\tumask\t%04o\n", mask);
  say_line("status", "OOM score adjustment", "/proc/self/oom_score_adj");
  say_line("status", "LSM label", "/proc/self/attr/current");
  say_line("status", "user id map", "/proc/self/uid_map");
  say_line("status", "pids limit", "/sys/fs/cgroup/pids/pids.max");
  say_line("status", "pids limit (v2)", "/sys/fs/cgroup/pids.max");
  int open_files = 0;
  for (int fd = 3; fd < 1024; fd++) open_files += fcntl(fd, F_GETFD) >= 0;
  printf("status\tinherited descriptors\t%d\n", open_files);
}

static void say_namespaces(void) {
  static const char *const names[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"};
  for (unsigned i = 0; i < COUNT(names); i++) {
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    if (readlink(path, target, sizeof target - 1) < 0) strcpy(target, word(errno));
    printf("namespace\t%s\t%s\n", names[i], target);
  }
}

/* Of the session keyring: its number and, with it, the type, the owner and the name that it bears. */
static void say_keyring(void) {
  char text[256] = "";
  long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
  if (id >= 0) syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, text, sizeof text - 1);
  if (id < 0)
    printf("keyring\tsession\t%s\n", word(errno));
  else
    printf("keyring\tsession\t%ld %s\n", id, text);
}

static int entries_of(const char *path) {
  int entries = 0;
  DIR *folder = opendir(path);
  for (struct dirent *one; folder && (one = readdir(folder));) entries += one->d_name[0] != '.';
  if (folder) closedir(folder);
  return entries;
}

/* By what is there: a device or an empty file system in the place of something of the kernel's is a mask. */
static const char *state_of(const char *path) {
  struct stat info;
  struct statfs system;
  struct statvfs flags;
  if (lstat(path, &info) < 0) return errno == ENOENT ? "absent" : word(errno);
  if (S_ISCHR(info.st_mode)) return "masked";
  if (statfs(path, &system) == 0 && S_ISDIR(info.st_mode) && system.f_type == TMPFS_MAGIC && entries_of(path) == 0)
    return "masked";
  if (statvfs(path, &flags) == 0 && flags.f_flag & ST_RDONLY) return "read-only";
  return "open";
}

static void say_ulimits(void) {
  static const char *const names[] = {"cpu",     "fsize", "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
                                      "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
  for (unsigned i = 0; i < COUNT(names); i++) {
    struct rlimit limit;
    getrlimit(i, &limit);
    char text[2][32];
    rlim_t both[2] = {limit.rlim_cur, limit.rlim_max};
    for (int half = 0; half < 2; half++)
      if (both[half] == RLIM_INFINITY)
        strcpy(text[half], "unlimited");
      else
        snprintf(text[half], sizeof text[half], "%lu", (unsigned long)both[half]);
    printf("ulimit\t%s\t%s / %s\n", names[i], text[0], text[1]);
  }
}

static void say_mounts(void) {
  char line[4096];
  FILE *file = fopen("/proc/self/mountinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    char target[1024], options[512], tail[2048];
    if (sscanf(line, "%*s %*s %*s %*s %1023s %511s %2047[^\n]", target, options, tail) == 3)
      printf("mount\t%s\t%s %s\n", target, options, tail);
  }
  if (file) fclose(file);
}

static const char *open_as(const char *path, int flags) {
  int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return word(errno);
  close(fd);
  return "yes";
}

/* Only what is harmless is opened: to open a watchdog is to start it. */
static int is_harmless(const struct stat *info) {
  unsigned of = major(info->st_rdev), number = minor(info->st_rdev);
  return S_ISCHR(info->st_mode) && ((of == 1 && number != 1 && number != 4) || of == 5);
}

static void say_devices(void) {
  int nodes = 0;
  DIR *folder = opendir("/dev");
  for (struct dirent *one; folder && (one = readdir(folder));) {
    char path[300], target[256] = "";
    struct stat info;
    snprintf(path, sizeof path, "/dev/%s", one->d_name);
    if (lstat(path, &info) < 0) continue;
    if (S_ISLNK(info.st_mode) && readlink(path, target, sizeof target - 1) > 0)
      printf("device\t%s\tlink to %s\n", path, target);
    if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)) continue;
    nodes++;
    if (!is_harmless(&info)) continue;
    printf("device\t%s\tc %u:%u %04o, open: %s\n", path, major(info.st_rdev), minor(info.st_rdev),
           info.st_mode & 07777, open_as(path, O_RDWR));
  }
  if (folder) closedir(folder);
  printf("device\tnodes in /dev\t%d\n", nodes);
}

/* Makes the node of a device and opens it: the group's rules are asked before the driver, so ENXIO or ENODEV is a yes. */
static void say_node(const char *name, mode_t type, int of, int number) {
  const char *path = "/tmp-node";
  unlink(path);
  const char *made = word(mknod(path, type | 0600, makedev(of, number)) < 0 ? errno : 0);
  const char *opened = strcmp(made, "yes") ? "-" : open_as(path, O_RDONLY);
  if (!strcmp(opened, "ENXIO") || !strcmp(opened, "ENODEV")) opened = "yes (no such driver)";
  printf("node\t%s %c %d:%d\tmknod: %s, open: %s\n", name, type == S_IFBLK ? 'b' : 'c', of, number, made, opened);
  unlink(path);
}

/* How many files below can be opened for writing, and the first of them by name. */
static void count_writable(const char *folder, int depth, int *total, int *writable, const char *section) {
  DIR *list = opendir(folder);
  for (struct dirent *one; list && (one = readdir(list));) {
    char path[1024];
    struct stat info;
    if (one->d_name[0] == '.' || (depth == 0 && one->d_name[0] >= '0' && one->d_name[0] <= '9')) continue;
    if (snprintf(path, sizeof path, "%s/%s", folder, one->d_name) >= (int)sizeof path) continue;
    if (lstat(path, &info) < 0 || S_ISLNK(info.st_mode)) continue;
    if (S_ISDIR(info.st_mode)) {
      count_writable(path, depth + 1, total, writable, section);
    } else if (S_ISREG(info.st_mode) && info.st_mode & 0222) {
      ++*total;
      if (strcmp(open_as(path, O_WRONLY), "yes")) continue;
      ++*writable;
      if (section) printf("%s\t%s\tyes\n", section, path);
    }
  }
  if (list) closedir(list);
}

static void say_writable(const char *folder, const char *name_each) {
  int total = 0, writable = 0;
  count_writable(folder, strcmp(folder, "/proc") ? 1 : 0, &total, &writable, name_each);
  printf("writable\t%s\t%d of %d\n", folder, writable, total);
}

/* int 0x80: 32-bit programs open sockets by socketcall(2), whose arguments a filter cannot see. */
static int socketcall(int family) {
  unsigned *args = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  int result;
  args[0] = family, args[1] = family == AF_ALG ? SOCK_SEQPACKET : SOCK_STREAM, args[2] = 0;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(1), "c"(args) : "r8", "r9", "r10", "r11", "memory");
  if (result < 0) errno = -result;
  return result < 0 ? -1 : result;
}

static int in_stack(void *unused) { return unused != 0; }
static int cloned(int flags) {
  static char stack[1 << 14] __attribute__((aligned(16)));
  return clone(in_stack, stack + sizeof stack, flags | SIGCHLD, 0);
}
static int bound(int port) {
  struct sockaddr_in address = {AF_INET, htons(port), {0}, {0}};
  return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
}
static int folder(const char *path) { return mkdir(path, 0700) < 0 ? -1 : rmdir(path); }
static int as_user(void) { return setgroups(0, 0) || setgid(1000) || setuid(1000); }
static int handle(void) {
  char space[sizeof(struct file_handle) + 128] = "";
  struct file_handle *one = (struct file_handle *)space;
  int id;
  one->handle_bytes = 128;
  if (name_to_handle_at(AT_FDCWD, "/proc/self/exe", one, &id, AT_SYMLINK_FOLLOW) < 0) return -1;
  int place = open("/proc/self/exe", O_RDONLY);
  return open_by_handle_at(place, one, O_RDONLY);
}

/* Each in a child of its own, by what comes of it. */
#define ATTEMPT(name, what)                                      \
  do {                                                           \
    fflush(stdout);                                              \
    int status, pid = fork();                                    \
    if (pid == 0) {                                              \
      errno = 0;                                                 \
      _exit((long)(what) < 0 ? errno : 0);                       \
    }                                                            \
    waitpid(pid, &status, 0);                                    \
    if (WIFSIGNALED(status))                                     \
      printf("attempt\t%s\tsignal %d\n", name, WTERMSIG(status)); \
    else                                                         \
      printf("attempt\t%s\t%s\n", name, word(WEXITSTATUS(status))); \
  } while (0)

static void say_attempts(void) {
  ATTEMPT("mount a tmpfs", mount("none", "/tmp", "tmpfs", 0, 0));
  ATTEMPT("remount /proc/sys writable", mount(0, "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0));
  ATTEMPT("unshare(CLONE_NEWUSER)", unshare(CLONE_NEWUSER));
  ATTEMPT("unshare(CLONE_NEWNS)", unshare(CLONE_NEWNS));
  ATTEMPT("unshare(CLONE_NEWCGROUP)", unshare(CLONE_NEWCGROUP));
  ATTEMPT("unshare(CLONE_FS)", unshare(CLONE_FS));
  ATTEMPT("clone(CLONE_NEWUSER)", cloned(CLONE_NEWUSER));
  ATTEMPT("setns to one's own UTS namespace", setns(open("/proc/self/ns/uts", O_RDONLY), 0));
  ATTEMPT("chroot", chroot("/tmp"));
  ATTEMPT("sethostname", sethostname("other", 5));
  ATTEMPT("open_by_handle_at", handle());
  ATTEMPT("a session keyring (keyctl)", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
  ATTEMPT("bpf: a map", syscall(SYS_bpf, 0, (unsigned[18]){2, 4, 4, 1}, 72));
  ATTEMPT("perf_event_open", syscall(SYS_perf_event_open, (unsigned[30]){1, 120}, 0, -1, -1, 0));
  ATTEMPT("io_uring_setup", syscall(SYS_io_uring_setup, 1, (unsigned[30]){0}));
  ATTEMPT("userfaultfd", syscall(SYS_userfaultfd, 0));
  ATTEMPT("the kernel's log (syslog)", syscall(SYS_syslog, 10, 0, 0));
  ATTEMPT("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
  ATTEMPT("a raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  ATTEMPT("a packet socket", socket(AF_PACKET, SOCK_RAW, 0));
  ATTEMPT("ping without rights (uid 1000)", as_user() ? -1 : socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
  ATTEMPT("port 80 (uid 1000)", as_user() ? -1 : bound(80));
  ATTEMPT("a socket of AF_ALG", socket(AF_ALG, SOCK_SEQPACKET, 0));
  ATTEMPT("a socket of AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0));
  ATTEMPT("a socket of AF_ALG by i386 socketcall", socketcall(AF_ALG));
  ATTEMPT("a socket of AF_VSOCK by i386 socketcall", socketcall(AF_VSOCK));
  ATTEMPT("a folder in /sys/fs/cgroup/pids", folder("/sys/fs/cgroup/pids/tried"));
  ATTEMPT("chown", chown("/tmp", 1, 1));
  ATTEMPT("setuid(1000)", setuid(1000));
  ATTEMPT("a better priority (setpriority -1)", setpriority(PRIO_PROCESS, 0, -1));
  ATTEMPT("an audit socket", socket(AF_NETLINK, SOCK_RAW, 9));
}

/* The arguments are the paths to look at; without any only that is said which a container may share with its host. */
int main(int argc, char **argv) {
  say_namespaces();
  say_keyring();
  if (argc < 2) return 0;
  say_status();
  say_ulimits();
  say_mounts();
  for (int i = 1; i < argc; i++) printf("path\t%s\t%s\n", argv[i], state_of(argv[i]));
  say_devices();
  say_node("mem", S_IFCHR, 1, 1);
  say_node("null", S_IFCHR, 1, 3);
  say_node("kmsg", S_IFCHR, 1, 11);
  say_node("tty1", S_IFCHR, 4, 1);
  say_node("console", S_IFCHR, 5, 1);
  say_node("ptmx", S_IFCHR, 5, 2);
  say_node("loop0", S_IFBLK, 7, 0);
  say_node("first disk (vda)", S_IFBLK, 254, 0);
  say_node("tun", S_IFCHR, 10, 200);
  say_node("fuse", S_IFCHR, 10, 229);
  say_node("loop-control", S_IFCHR, 10, 237);
  say_node("kvm", S_IFCHR, 10, 232);
  say_line("sysctl", "net.ipv4.ping_group_range", "/proc/sys/net/ipv4/ping_group_range");
  say_line("sysctl", "net.ipv4.ip_unprivileged_port_start", "/proc/sys/net/ipv4/ip_unprivileged_port_start");
  say_line("sysctl", "net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward");
  say_writable("/proc/sys", 0);
  say_writable("/proc", "writable in /proc");
  say_writable("/sys", 0);
  say_attempts();
  return 0;
}
