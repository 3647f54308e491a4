// Connections: whatever comes from one side goes to the other, and so does the end of it. Nothing is kept here: what the other
// side does not take yet stays in the socket that it has come to, whose sender is held up by that.
#include "proxy.h"

enum side { CLIENT, CONTAINER };
#define UNWATCHED ~0u

struct connection {
  // 0 where it is none
  int fd[2];
  uint32_t watched[2];
  // What comes from a side has not ended; waits until the other side takes it.
  uint8_t open[2], blocked[2];
  // One side is gone: what it has sent is still passed on, and then the other one is told.
  uint8_t broken;
};

static struct connection connections[MOST_CONNECTIONS];
static uint32_t connection_count, next_free;

int has_room(void) {
  return connection_count < MOST_CONNECTIONS;
}

// The peer gets to know that something went wrong (socket(7), SO_LINGER).
static void reset(int fd) {
  static const int at_once[2] = {1, 0};
  SYS(setsockopt, fd, SOL_SOCKET, SO_LINGER, at_once, sizeof at_once);
  SYS(close, fd);
}

static void end_connection(struct connection *c) {
  for (int side = CLIENT; side <= CONTAINER; side++) {
    if (c->broken) reset(c->fd[side]);
    else SYS(close, c->fd[side]);
  }
  c->fd[CLIENT] = 0;
  connection_count--;
}

static void stop(struct connection *c, int from) {
  c->open[from] = c->blocked[from] = 0;
}

// One chunk; it is taken out of its socket when it has arrived in the other (tcp(7), MSG_TRUNC).
static void carry(struct connection *c, int from) {
  int to = !from;
  long got = SYS(recvfrom, c->fd[from], chunk, CHUNK, MSG_PEEK | MSG_DONTWAIT, 0, 0);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got < 0) {
    // nothing can be sent to it either, and of that nobody tells any more
    c->broken = 1;
    stop(c, to);
  }
  if (got <= 0) {
    stop(c, from);
    if (!c->broken) SYS(shutdown, c->fd[to], SHUT_WR);
    return;
  }
  long sent = SYS(sendto, c->fd[to], chunk, got, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
  if (sent == -EINTR) return;
  if (sent < 0 && sent != -EAGAIN) {
    c->broken = 1;
    stop(c, from);
    return;
  }
  if (sent > 0) SYS(recvfrom, c->fd[from], chunk, sent, MSG_TRUNC | MSG_DONTWAIT, 0, 0);
  c->blocked[from] = sent < got;
}

static uint32_t wanted_events(const struct connection *c, int side) {
  uint32_t in = c->open[side] && !c->blocked[side] ? EPOLLIN : 0, out = c->blocked[!side] ? EPOLLOUT : 0;
  return in | out;
}

// Negative where the kernel has no room for that.
static long watch_side(struct connection *c, int side) {
  uint32_t events = wanted_events(c, side);
  if (c->watched[side] == events || (c->watched[side] == UNWATCHED && events == 0)) return 0;
  int change = c->watched[side] == UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  c->watched[side] = events;
  return watch_events(change, c->fd[side], events, ABOUT(SUBJECT_CONNECTION, (c - connections) * 2 + side));
}

// Watches for what is to come next, or ends what is done.
static void go_on(struct connection *c) {
  int done = !c->open[CLIENT] && !c->open[CONTAINER];
  // what is left of a side that is gone is not waited for
  int stuck = c->broken && (c->blocked[CLIENT] || c->blocked[CONTAINER]);
  if (!done && !stuck) {
    if (watch_side(c, CLIENT) >= 0 && watch_side(c, CONTAINER) >= 0) return;
    c->broken = 1;
  }
  end_connection(c);
}

void hear_connection(uint32_t number, uint32_t events) {
  struct connection *c = connections + number / 2;
  int side = number % 2;
  // its other side's event came first
  if (!c->fd[CLIENT]) return;
  if (events & EPOLLERR) {
    c->broken = 1;
    stop(c, !side);
  }
  if (events & EPOLLOUT && c->blocked[!side]) {
    c->blocked[!side] = 0;
    carry(c, !side);
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && c->open[side] && !c->blocked[side]) carry(c, side);
  // ended both ways it says so for ever, also while what it has sent waits
  if (events & EPOLLHUP && !wanted_events(c, side) && c->watched[side] != UNWATCHED) {
    watch_events(EPOLL_CTL_DEL, c->fd[side], 0, 0);
    c->watched[side] = UNWATCHED;
  }
  go_on(c);
}

static void begin_connection(int client, int container) {
  while (connections[next_free].fd[CLIENT]) next_free = (next_free + 1) % MOST_CONNECTIONS;
  struct connection *c = connections + next_free;
  connection_count++;
  // until the container's side is connected nothing can be sent there
  *c = (struct connection){{client, container}, {0, UNWATCHED}, {1, 1}, {1, 0}, 0};
  set_option(client, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(container, IPPROTO_TCP, TCP_NODELAY, 1);
  // a container that was taken out of its network does not say so
  set_option(container, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(container, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_option(container, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  // also the client may be gone before
  watch_events(EPOLL_CTL_ADD, client, 0, ABOUT(SUBJECT_CONNECTION, (c - connections) * 2 + CLIENT));
  go_on(c);
}

// Some of those who wait; 0 where there is no room for one.
int take_clients(const struct relay *relay) {
  struct address target;
  int known = find_target(relay, &target);
  for (int i = 0; i < 64 && has_room(); i++) {
    long client = SYS(accept4, relay->fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client == -EMFILE || client == -ENFILE || client == -ENOMEM || client == -ENOBUFS) return 0;
    if (client == -EAGAIN) break;
    if (client < 0) continue;
    long container = known ? open_socket(SOCK_STREAM) : -1;
    long result = container < 0 ? container : SYS(connect, container, &target, sizeof target);
    if (result == 0 || result == -EINPROGRESS) {
      begin_connection((int)client, (int)container);
      continue;
    }
    if (container >= 0) SYS(close, container);
    reset((int)client);
  }
  return 1;
}
