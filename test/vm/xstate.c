/*
 * User-mode Linux 6.1 has room for 2696 bytes of a processor's extended state. Where that is larger (AMX), the host's kernel
 * refuses to set it from so little (PTRACE_SETREGSET, NT_X86_XSTATE: EFAULT), and the first process of the machine dies.
 * Preloaded into linux.uml this adds what is missing, as the initial state, which is what AMX is in where nobody uses it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Intel's manual, "XSAVE Area": the header, whose first word says which parts are not in their initial state. */
enum { HEADER = 512, MOST = 65536 };
/* x87, SSE, AVX, MPX, AVX-512 and PKRU: those that lie within 2696 bytes */
static const uint64_t WITHIN = 0x3ff;

typedef long (*ptrace_call)(enum __ptrace_request, pid_t, void *, void *);

long ptrace(enum __ptrace_request request, ...) {
  static ptrace_call next;
  static unsigned char state[MOST];
  static size_t whole;
  va_list rest;
  va_start(rest, request);
  pid_t pid = va_arg(rest, pid_t);
  void *address = va_arg(rest, void *);
  void *data = va_arg(rest, void *);
  va_end(rest);
  if (!next) next = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
  if (request != PTRACE_SETREGSET || (uintptr_t)address != NT_X86_XSTATE) return next(request, pid, address, data);
  const struct iovec *given = data;
  if (!whole) {
    struct iovec all = {state, sizeof state};
    if (next(PTRACE_GETREGSET, pid, address, &all) == 0) whole = all.iov_len;
  }
  if (given->iov_len >= whole || given->iov_len < HEADER + sizeof WITHIN) return next(request, pid, address, data);
  memset(state, 0, whole);
  memcpy(state, given->iov_base, given->iov_len);
  uint64_t present;
  memcpy(&present, state + HEADER, sizeof present);
  present &= WITHIN;
  memcpy(state + HEADER, &present, sizeof present);
  struct iovec all = {state, whole};
  return next(request, pid, address, &all);
}
