/*
 * What a filter of system calls lets through, asked of the kernel itself and without any of the calls being made.
 *
 * A second filter is laid over the one that is there: it hands every call to a supervisor (SECCOMP_RET_USER_NOTIF), which
 * answers MARK. The kernel takes the strictest of all filters' verdicts, and ERRNO, TRAP and KILL are stricter than that one: so
 * what comes back as MARK is what the filter below allows, and anything else is its own answer. Arguments are looked at by
 * nobody else. Output: a line "label TAB verdict"; the verdict is "allow", "errno N", or "signal N".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MARK (-1234)
/* In the sixth argument: a call of the probe's own, which the upper filter lets pass. */
#define OWN 0x0600d600d
#define MOST 8192
#define X32 0x40000000ull
#define UPPER (1ull << 32)

enum abi { X86_64, I386 };
struct probe {
  enum abi abi;
  uint64_t number, args[5];
  char label[64];
};
struct shared {
  volatile int next, listener, dead;
  volatile long results[MOST];
};

static struct probe probes[MOST];
static int count;
static struct shared *shared;

static long call64(uint64_t number, const uint64_t a[5], uint64_t sixth) {
  register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = sixth;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static long call32(uint64_t number, const uint64_t a[5]) {
  long result;
  __asm__ volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp"
                   : "=a"(result)
                   : "a"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                   : "r8", "r9", "r10", "r11", "memory");
  return (int)result;
}

__attribute__((format(printf, 4, 5))) static struct probe *add(enum abi abi, uint64_t number, uint64_t first,
                                                               const char *label, ...) {
  if (count == MOST) exit(3);
  struct probe *probe = &probes[count++];
  probe->abi = abi;
  probe->number = number;
  probe->args[0] = first;
  va_list list;
  va_start(list, label);
  vsnprintf(probe->label, sizeof probe->label, label, list);
  va_end(list);
  return probe;
}

/* Each number twice: a verdict that is not the same for both depends on arguments. */
static void add_numbers(enum abi abi, const char *name, uint64_t base, int from, int to) {
  for (int number = from; number <= to; number++) {
    add(abi, base + number, 0, "%s %d", name, number);
    memset(add(abi, base + number, 0, "%s %d ones", name, number)->args, 0xff, sizeof probes[0].args);
  }
}

static void add_arguments(void) {
  for (int family = 0; family <= 46; family++) {
    add(X86_64, SYS_socket, family, "socket %d", family);
    add(X86_64, SYS_socket, family | UPPER, "socket-upper %d", family);
    add(X86_64, SYS_socket + X32, family, "socket-x32 %d", family);
    add(I386, 359, family, "socket-i386 %d", family);
  }
  for (int protocol = 0; protocol <= 22; protocol++) {
    struct probe *probe = add(X86_64, SYS_socket, 16, "netlink %d", protocol);
    probe->args[1] = 3;
    probe->args[2] = protocol;
  }
  static const uint64_t personalities[] = {0,         8,         0x20000,   0x20008,   0xffffffff, 0x40000, 0x80000,
                                           0x100000,  0x200000,  0x400000,  0x800000,  0x1000000,  0x2000000,
                                           0x4000000, 0x8000000, 0x440000};
  for (unsigned i = 0; i < sizeof personalities / sizeof *personalities; i++) {
    add(X86_64, SYS_personality, personalities[i], "personality %#lx", (long)personalities[i]);
    add(X86_64, SYS_personality, personalities[i] | UPPER, "personality-upper %#lx", (long)personalities[i]);
    add(I386, 136, personalities[i], "personality-i386 %#lx", (long)personalities[i]);
  }
  for (int bit = 0; bit <= 33; bit++) {
    add(X86_64, SYS_clone, 1ull << bit, "clone %d", bit);
    add(X86_64, SYS_unshare, 1ull << bit, "unshare %d", bit);
    if (bit < 32) add(I386, 120, 1ull << bit, "clone-i386 %d", bit);
    add(X86_64, SYS_setns, 0, "setns %d", bit)->args[1] = 1ull << bit;
  }
  add(X86_64, SYS_ioctl, 0, "ioctl TIOCSTI")->args[1] = 0x5412;
  add(X86_64, SYS_ioctl, 0, "ioctl TIOCLINUX")->args[1] = 0x541c;
}

static int prober(void *unused) {
  (void)unused;
  static const uint64_t none[5];
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  struct sock_fprog program = {4, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  shared->listener = listener < 0 ? -2 : (int)listener;
  if (listener < 0) return 1;
  for (; shared->next < count; shared->next++) {
    const struct probe *probe = &probes[shared->next];
    shared->results[shared->next] = probe->abi == I386 ? call32(probe->number, probe->args)
                                                       : call64(probe->number, probe->args, 0);
  }
  for (;;) call64(SYS_exit_group, none, OWN);
}

/* Answers until the prober is gone. */
static void supervise(int listener) {
  struct seccomp_notif notif;
  struct pollfd poll_for = {listener, POLLIN, 0};
  while (poll(&poll_for, 1, -1) > 0 && !(poll_for.revents & POLLHUP)) {
    memset(&notif, 0, sizeof notif);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0) continue;
    struct seccomp_notif_resp answer = {notif.id, 0, MARK, 0};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

int main(void) {
  static char stack[1 << 16] __attribute__((aligned(16)));
  add_numbers(X86_64, "x86-64", 0, 0, 470);
  add_numbers(I386, "i386", 0, 0, 470);
  add_numbers(X86_64, "x32", X32, 0, 470);
  add_numbers(X86_64, "x32", X32, 512, 547);
  add(X86_64, 999, 0, "x86-64 999");
  add(I386, 999, 0, "i386 999");
  add(X86_64, 999 + X32, 0, "x32 999");
  add_arguments();
  shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  while (shared->next < count) {
    shared->listener = -1;
    int pid = clone(prober, stack + sizeof stack, CLONE_FILES | SIGCHLD, 0), status;
    if (pid < 0) return 2;
    while (shared->listener == -1) sched_yield();
    if (shared->listener < 0) return fprintf(stderr, "calls: the filter does not let a filter be set\n"), 2;
    supervise(shared->listener);
    close_range(shared->listener, shared->listener, 0);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) shared->results[shared->next++] = -100000 - WTERMSIG(status);
  }
  for (int i = 0; i < count; i++) {
    long result = shared->results[i];
    if (result == MARK)
      printf("%s\tallow\n", probes[i].label);
    else if (result <= -100000)
      printf("%s\tsignal %ld\n", probes[i].label, -100000 - result);
    else
      printf("%s\terrno %ld\n", probes[i].label, -result);
  }
  return 0;
}
