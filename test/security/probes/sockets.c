// Tries to open sockets of the kernel's ciphers (AF_ALG) and of the hypervisor (AF_VSOCK) in every way there is; prints
// `WAY RESULT`: 0, or the errno.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AF_ALG 38
#define AF_VSOCK 40
#define SOCK_SEQPACKET 5
#define SOCK_STREAM 1

static void say(const char *way, long result) {
  printf("%s %d\n", way, result >= 0 ? 0 : (int)-result);
  fflush(stdout);
  if (result > 2) close((int)result);
}

static long by_register(uint64_t family, long type) {
  long result = syscall(SYS_socket, family, type, 0);
  return result < 0 ? -errno : result;
}

#ifdef __x86_64__
// A call as a program of 32 bits makes it; its memory must lie low.
static long i386(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

static void by_i386(void) {
  uint32_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return;
  say("i386-alg", i386(359, AF_ALG, SOCK_SEQPACKET, 0));
  say("i386-vsock", i386(359, AF_VSOCK, SOCK_STREAM, 0));
  say("i386-unix", i386(359, 1, SOCK_STREAM, 0));
  low[0] = 1, low[1] = SOCK_STREAM, low[2] = 0;
  say("i386-socketcall-unix", i386(102, 1, (long)low, 0));
}
#endif

int main(int argc, char **argv) {
  (void)argv;
  say("unix", by_register(1, SOCK_STREAM));
  say("alg", by_register(AF_ALG, SOCK_SEQPACKET));
  say("alg-upper", by_register(AF_ALG | 1ull << 32, SOCK_SEQPACKET));
  say("alg-sign", by_register(AF_ALG | 0xffffffffull << 32, SOCK_SEQPACKET));
  say("vsock", by_register(AF_VSOCK, SOCK_STREAM));
  say("vsock-upper", by_register(AF_VSOCK | 1ull << 63, SOCK_STREAM));
#ifdef __x86_64__
  // a kernel without 32-bit programs kills who tries
  if (argc > 1) by_i386();
#endif
  return 0;
}
