#include "shim.h"

#define CHUNK 16384
// A blocking pipe that polls writable takes this much without blocking (PIPE_BUF).
#define STEP 4096
// What a pipe can hold at most (fs/pipe-max-size), and more.
#define REST (4 << 20)
// How long a client may take to take the output of a program that has ended, before others wait for it.
#define PATIENCE_NS 100000000
#define CTRL_P 0x10
#define CTRL_Q 0x11

// Bytes on their way from one descriptor to another; -1 is an end that is closed, or not wanted.
struct flow {
  int from, to;
  uint32_t start, end;
  uint8_t *data;
};

static uint8_t out_data[CHUNK], err_data[CHUNK], in_data[2 * STEP], typed[STEP];
static struct flow out, err, in;
static int control, held_ctrl_p;

static int waiting(const struct flow *flow) {
  return flow->end > flow->start;
}

static void stop_flow(struct flow *flow) {
  flow->to = -1;
  flow->start = flow->end = 0;
}

// Writes what it can. A client whose stdout cannot be written is told so; the program goes on.
static void flush(struct flow *flow) {
  uint32_t length = flow->end - flow->start;
  long wrote = SYS(write, flow->to, flow->data + flow->start, length < STEP ? length : STEP);
  if (wrote > 0) flow->start += (uint32_t)wrote;
  else if (wrote != -EAGAIN && wrote != -EINTR) {
    if (flow != &in) send_message(control, MESSAGE_UNWRITABLE, flow->to, (int32_t)-wrote, 0);
    stop_flow(flow);
  }
}

// Reads a chunk of the program's output, logs it, keeps it for the client. 0 when there is none now.
static int take_output(struct flow *flow, int stream) {
  long got = SYS(read, flow->from, flow->data, CHUNK);
  if (got == -EAGAIN || got == -EINTR) return 0;
  if (got <= 0) {
    // a pty answers EIO while no process has its other side open
    if (!has_flag(FLAG_TTY)) SYS(close, flow->from);
    flow->from = -1;
    return 0;
  }
  if (has_flag(FLAG_LOG)) log_feed(stream, flow->data, (size_t)got);
  flow->start = 0;
  flow->end = flow->to < 0 ? 0 : (uint32_t)got;
  return 1;
}

static void end_input(void) {
  in.from = -1;
  if (!has_flag(FLAG_TTY) && in.to >= 0) SYS(close, in.to);
  stop_flow(&in);
}

// The client is gone or has left: nothing is copied from or to it any more.
void detach_client(void) {
  stop_flow(&out);
  stop_flow(&err);
  if (in.from >= 0) end_input();
  for (int fd = 0; fd < 3; fd++) SYS(close, fd);
}

// Reads what the user typed or piped in; on a terminal Ctrl-P Ctrl-Q leaves the container running.
static void take_input(void) {
  long got = SYS(read, in.from, typed, STEP);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got <= 0) {
    end_input();
    return;
  }
  in.start = in.end = 0;
  for (long i = 0; i < got; i++) {
    if (has_flag(FLAG_TTY) && held_ctrl_p && typed[i] == CTRL_Q) {
      send_message(control, MESSAGE_DETACHED, 0, 0, 0);
      detach_client();
      return;
    }
    if (held_ctrl_p) in_data[in.end++] = CTRL_P;
    held_ctrl_p = has_flag(FLAG_TTY) && typed[i] == CTRL_P;
    if (!held_ctrl_p) in_data[in.end++] = typed[i];
  }
}

static void take_message(int pidfd, enum fate *fate) {
  struct message message;
  int got = receive_message(control, &message, MSG_DONTWAIT);
  if (got == -EAGAIN) return;
  if (got != 1) {
    // before COMMIT the container is half-made and goes with its maker
    if (*fate == FATE_OPEN) {
      SYS(pidfd_send_signal, pidfd, SIGKILL, 0, 0);
      *fate = FATE_ABANDONED;
    }
    control = -1;
    detach_client();
  } else if (message.kind == MESSAGE_SIGNAL) {
    SYS(pidfd_send_signal, pidfd, message.a, 0, 0);
  } else if (message.kind == MESSAGE_COMMIT) {
    *fate = FATE_COMMITTED;
  } else if (message.kind == MESSAGE_DONE) {
    *fate = FATE_DONE;
  }
}

static struct pollfd *watch(struct pollfd *list, int *count, int fd, short events) {
  list[*count] = (struct pollfd){fd, events, 0};
  return &list[(*count)++];
}

// Output is read only when the last chunk has reached the client, so a slow reader slows the program
// and nothing piles up here.
static struct pollfd *watch_output(struct pollfd *list, int *count, struct flow *flow) {
  if (waiting(flow)) return watch(list, count, flow->to, POLLOUT);
  return flow->from < 0 ? NULL : watch(list, count, flow->from, POLLIN);
}

static struct pollfd *watch_input(struct pollfd *list, int *count) {
  if (waiting(&in)) return watch(list, count, in.to, POLLOUT);
  return in.from < 0 || in.to < 0 ? NULL : watch(list, count, in.from, POLLIN);
}

static int move_output(struct flow *flow, int stream, const struct pollfd *seen) {
  if (!seen || !seen->revents) return 0;
  if (waiting(flow)) flush(flow);
  else take_output(flow, stream);
  return 1;
}

// One stream at a time, in turn: both may lead to one pipe of the client's, whose room the first one has used up.
static void move_outputs(const struct pollfd *seen_out, const struct pollfd *seen_err) {
  static int turn;
  turn = !turn;
  if (turn && move_output(&out, LOG_STDOUT, seen_out)) return;
  if (move_output(&err, LOG_STDERR, seen_err)) return;
  move_output(&out, LOG_STDOUT, seen_out);
}

// Takes all that an ended program has left in a pipe: into the log, and into memory for a client that is behind.
static void keep_rest(struct flow *flow, int stream) {
  uint8_t *rest = more_memory(REST);
  if (!rest) return;
  uint32_t used = flow->end - flow->start;
  copy(rest, flow->data + flow->start, used);
  while (flow->from >= 0 && used + CHUNK <= REST && take_output(flow, stream)) {
    copy(rest + used, flow->data, flow->end);
    used += flow->end;
  }
  flow->data = rest;
  flow->start = 0;
  flow->end = flow->to < 0 ? 0 : used;
}

static int64_t nanoseconds(void) {
  struct timespec now;
  SYS(clock_gettime, CLOCK_MONOTONIC, &now);
  return (int64_t)now.sec * 1000000000 + now.nsec;
}

static int exit_code(int pid) {
  int status = 0;
  while (SYS(wait4, pid, &status, WALL, 0) == -EINTR) continue;
  return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

static void start_flows(const struct stdio *stdio) {
  int attached = has_flag(FLAG_ATTACHED);
  out = (struct flow){stdio->out_read, attached ? 1 : -1, 0, 0, out_data};
  err = (struct flow){stdio->err_read, attached ? 2 : -1, 0, 0, err_data};
  in = (struct flow){has_flag(FLAG_ATTACH_STDIN) ? 0 : -1, stdio->in_write, 0, 0, in_data};
  control = FD_CONTROL;
}

int client_is_behind(void) {
  return waiting(&out) || waiting(&err);
}

// Waits for the client to take what is left of the output, or to be gone.
void deliver_rest(void) {
  enum fate fate = FATE_DONE;
  while (client_is_behind()) {
    struct pollfd list[3];
    int count = 0;
    struct pollfd *seen_control = control < 0 ? NULL : watch(list, &count, control, POLLIN);
    struct pollfd *seen_out = waiting(&out) ? watch(list, &count, out.to, POLLOUT) : NULL;
    struct pollfd *seen_err = waiting(&err) ? watch(list, &count, err.to, POLLOUT) : NULL;
    if (SYS(ppoll, list, count, 0, 0, 8) < 0) continue;
    move_outputs(seen_out, seen_err);
    if (seen_control && seen_control->revents) take_message(-1, &fate);
  }
}

// Runs until the program has ended and its output is logged; returns its exit code, 128+n for a signal. A client that
// does not take the output in time may still be behind.
int pump(const struct stdio *stdio, int pidfd, int pid, enum fate *fate) {
  int code = -1;
  int64_t until = 0;
  start_flows(stdio);
  for (;;) {
    struct pollfd list[8], alarm = memory_alarm(), clients = proxy_alarm();
    int count = 0;
    struct pollfd *seen_pid = code < 0 ? watch(list, &count, pidfd, POLLIN) : NULL;
    struct pollfd *seen_control = control < 0 ? NULL : watch(list, &count, control, POLLIN);
    struct pollfd *seen_out = watch_output(list, &count, &out), *seen_err = watch_output(list, &count, &err);
    struct pollfd *seen_in = code < 0 ? watch_input(list, &count) : NULL;
    struct pollfd *seen_alarm = alarm.fd < 0 ? NULL : watch(list, &count, alarm.fd, alarm.events);
    struct pollfd *seen_clients = code < 0 && clients.fd >= 0 ? watch(list, &count, clients.fd, POLLIN) : NULL;
    int ended = code >= 0, drain = ended && !client_is_behind();
    int64_t left = ended && !drain ? until - nanoseconds() : 0;
    if (left < 0) {
      keep_rest(&out, LOG_STDOUT);
      keep_rest(&err, LOG_STDERR);
      break;
    }
    struct timespec most = {0, (long)left};
    long ready = SYS(ppoll, list, count, ended ? &most : 0, 0, 8);
    if (ready < 0) continue;
    if (drain && !(seen_out && seen_out->revents) && !(seen_err && seen_err->revents)) break;
    move_outputs(seen_out, seen_err);
    if (seen_in && seen_in->revents) {
      if (waiting(&in)) flush(&in);
      else take_input();
    }
    if (seen_control && seen_control->revents) take_message(pidfd, fate);
    if (seen_alarm && seen_alarm->revents) hear_memory_alarm();
    if (seen_clients && seen_clients->revents) hear_proxy_alarm();
    if (seen_pid && seen_pid->revents) {
      code = exit_code(pid);
      until = nanoseconds() + PATIENCE_NS;
    }
  }
  log_end();
  return code;
}
