#include "shim.h"

// 0, or negative errno. MSG_NOSIGNAL: a client that is gone must not kill us.
int send_message(int fd, int32_t kind, int32_t a, int32_t b, int32_t c) {
  struct message message = {kind, a, b, c};
  long sent = SYS(sendto, fd, &message, sizeof message, MSG_NOSIGNAL, 0, 0);
  return sent < 0 ? (int)sent : 0;
}

// 1 for a message, 0 where the other end is closed, negative errno.
int receive_message(int fd, struct message *message, int flags) {
  long got;
  do got = SYS(recvfrom, fd, message, sizeof *message, flags, 0, 0);
  while (got == -EINTR);
  if (got < 0) return (int)got;
  return got == sizeof *message;
}

// A message with descriptors (unix(7), "SCM_RIGHTS"). How many there are, or negative where none has come.
int receive_descriptors(int fd, struct message *message, int *fds) {
  struct {
    size_t length;
    int level, type, fds[MOST_FDS];
  } control;
  struct iovec data = {message, sizeof *message};
  struct msghdr header = {.data = &data, .count = 1, .control = &control, .control_length = sizeof control};
  long got;
  do got = SYS(recvmsg, fd, &header, MSG_CMSG_CLOEXEC);
  while (got == -EINTR);
  if (got != sizeof *message || header.control_length < sizeof(size_t)) return -1;
  int count = (int)((control.length - 16) / sizeof(int));
  for (int i = 0; i < count; i++) fds[i] = control.fds[i];
  return count;
}

__attribute__((noreturn)) void fail(int fd, int stage, long result) {
  send_message(fd, MESSAGE_FAILED, stage, (int32_t)-result, 0);
  leave(125);
}
