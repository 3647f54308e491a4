// The kernel without a C library: the shim runs between clone and execve, and in processes that must
// stay tiny, so it calls nothing that may lock, allocate or keep state.
#ifndef SYS_H
#define SYS_H
#include <stddef.h>
#include <stdint.h>
#include <asm/unistd.h>
#include <linux/errno.h>

#if defined(__x86_64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "only x86-64 and arm64"
#endif

// Up to six arguments, each a number or a pointer; the result is negative errno on failure.
#define SYS(n, ...) SYS_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(n, a, b, c, d, e, f, ...) \
  sys6(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

// linux/*.h and asm/*.h constants that the shim uses, by their kernel names.
#define AT_FDCWD (-100)
#define AT_REMOVEDIR 0x200
#define AT_EMPTY_PATH 0x1000
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0100
#define O_NOCTTY 0400
#define O_TRUNC 01000
#define O_APPEND 02000
#define O_NONBLOCK 04000
#if defined(__aarch64__)
#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000
#else
#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000
#endif
#define O_CLOEXEC 02000000
#define O_PATH 010000000
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define F_SETFD 2
#define LOCK_EX 2
#define F_SETFL 4
#define FD_CLOEXEC 1
#define CLONE_PARENT 0x00008000
#define CLONE_PIDFD 0x00001000
#define CLONE_NEWCGROUP 0x02000000
#define CLONE_NEWNET 0x40000000
#define CLONE_NEWIPC 0x08000000
#define CLONE_NEWPID 0x20000000
#define CLONE_INTO_CGROUP 0x200000000ull
#define STATX_NLINK 4
#define STATX_BASIC_STATS 0x7ff
#define S_IFMT 0170000
#define S_IFCHR 0020000
#define MS_NOSUID 2
#define MS_NODEV 4
#define MS_NOEXEC 8
#define MS_REC 16384
#define MS_PRIVATE (1 << 18)
#define MNT_DETACH 2
#define SIGKILL 9
#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGPIPE 13
#define SIGTERM 15
#define SIGCHLD 17
#define SIG_SETMASK 2
#define WNOHANG 1
#define WALL 0x40000000
#define POLLIN 1
#define POLLPRI 2
#define POLLOUT 4
#define PR_SET_PDEATHSIG 1
#define PR_GET_PDEATHSIG 2
#define PR_SET_DUMPABLE 4
#define PR_SET_KEEPCAPS 8
#define PR_SET_NAME 15
#define PR_CAPBSET_DROP 24
#define PR_SET_NO_NEW_PRIVS 38
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#define TIOCSCTTY 0x540E
#define TIOCSPGRP 0x5410
#define SECCOMP_SET_MODE_FILTER 1
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW 4
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define SEEK_END 2
#define MSG_PEEK 2
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_TRUNC 0x20
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000
#define SOL_SOCKET 1
#define SO_KEEPALIVE 9
#define SO_LINGER 13
#define IPPROTO_TCP 6
#define TCP_NODELAY 1
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define IPPROTO_IPV6 41
#define IPV6_V6ONLY 26
#define SHUT_WR 1
#define EPOLL_CLOEXEC 02000000
#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define EPOLLIN 1
#define EPOLLOUT 4
#define EPOLLERR 8
#define EPOLLHUP 16
#define RLIMIT_NOFILE 7
#define CLOCK_REALTIME 0
#define RESOLVE_NO_XDEV 1
#define RESOLVE_NO_MAGICLINKS 2
#define PROC_SUPER_MAGIC 0x9fa0
#define CLOCK_MONOTONIC 1

struct timespec {
  long sec, nsec;
};
struct iovec {
  void *at;
  size_t length;
};
struct msghdr {
  void *name;
  size_t name_length;
  struct iovec *data;
  size_t count;
  void *control;
  size_t control_length;
  long flags;
};
struct pollfd {
  int fd;
  short events, revents;
};
struct epoll_event {
  uint32_t events;
  uint64_t data;
#if defined(__x86_64__)
} __attribute__((packed));
#else
};
#endif
// struct sockaddr_in6; the port in the order of the network.
struct address {
  uint16_t family, port;
  uint32_t flow;
  uint8_t bytes[16];
  uint32_t scope;
};

static inline size_t text_length(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

static inline int text_starts(const char *s, const char *prefix) {
  while (*prefix)
    if (*s++ != *prefix++) return 0;
  return 1;
}

static inline void copy(void *to, const void *from, size_t n) {
  char *t = to;
  const char *f = from;
  while (n--) *t++ = *f++;
}

#endif
