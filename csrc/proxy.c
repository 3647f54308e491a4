// Clients that come by the host's ::1, from where the kernel sends nothing on to a container (docs/networks.md). Until the first
// one is there the monitor only watches their sockets; then a process of its own takes them.
#include "proxy.h"

// All ports of TCP and of UDP.
#define MOST_RELAYS (2 * 65536)

static struct relay *relays;
static uint32_t relay_count;
// Readable when a client comes, while there is no proxy.
static int clients = -1;
// The proxy, and the end of a pipe whose closing tells it to end.
static struct {
  long pid;
  int pidfd, life;
} proxy = {0, -1, -1};

static int epoll, listeners;
uint8_t chunk[CHUNK];

static void rest(long milliseconds) {
  struct timespec pause = {0, milliseconds * 1000000};
  SYS(nanosleep, &pause, 0);
}

void hold_relay(int fd, int port, int type) {
  struct epoll_event event = {EPOLLIN, 0};
  if (!relays) {
    relays = more_memory(MOST_RELAYS * sizeof *relays);
    clients = (int)SYS(epoll_create1, EPOLL_CLOEXEC);
  }
  if (!relays || relay_count == MOST_RELAYS || SYS(epoll_ctl, clients, EPOLL_CTL_ADD, fd, &event) < 0) return;
  relays[relay_count++] = (struct relay){fd, (uint16_t)port, (uint16_t)type};
}

const struct relay *relay_of(uint32_t number) {
  return relays + number;
}

int64_t now(void) {
  struct timespec now;
  SYS(clock_gettime, CLOCK_MONOTONIC, &now);
  return (int64_t)now.sec * 1000 + now.nsec / 1000000;
}

long watch_events(int change, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {events, data};
  return SYS(epoll_ctl, epoll, change, fd, &event);
}

void set_option(int fd, int level, int option, int value) {
  SYS(setsockopt, fd, level, option, &value, sizeof value);
}

// For addresses of either kind (ipv6(7), "IPv4-mapped").
long open_socket(int type) {
  long fd = SYS(socket, AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) set_option((int)fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  return fd;
}

// Its address is read at each use: connect and disconnect change it (src/network/relay.ts writes it).
int find_target(const struct relay *relay, struct address *target) {
  uint8_t text[33];
  long fd = SYS(openat, AT_FDCWD, text_of(orders->relay_to), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return 0;
  long got = SYS(read, fd, text, sizeof text);
  SYS(close, fd);
  *target = (struct address){.family = AF_INET6, .port = (uint16_t)(relay->port >> 8 | relay->port << 8)};
  for (int i = 0; i < 32 && got == 32; i++) {
    int digit = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;
    target->bytes[i / 2] = (uint8_t)(target->bytes[i / 2] << 4 | digit);
  }
  return got == 32;
}

// Nothing else stays open: least of all what holds the container's locks. Returns where `life` is then.
static int keep_only_relays(int life) {
  int last = 2, above = relays[relay_count - 1].fd + 1;
  uint64_t limit[2], wanted = (uint64_t)above + 2 * MOST_CONNECTIONS + MOST_FLOWS + 64;
  if (SYS(prlimit64, 0, RLIMIT_NOFILE, 0, limit) == 0 && limit[0] < wanted) {
    limit[0] = limit[1] < wanted ? limit[1] : wanted;
    SYS(prlimit64, 0, RLIMIT_NOFILE, limit, 0);
  }
  int kept = (int)SYS(fcntl, life, F_DUPFD_CLOEXEC, above);
  if (kept < 0) return kept;
  SYS(close_range, 0, 2, 0);
  open_standard_streams();
  // their numbers rise, as each got the next one
  for (uint32_t i = 0; i < relay_count; last = relays[i++].fd)
    if (relays[i].fd > last + 1) SYS(close_range, last + 1, relays[i].fd - 1, 0);
  if (kept > last + 1) SYS(close_range, last + 1, kept - 1, 0);
  SYS(close_range, kept + 1, ~0u, 0);
  return kept;
}

static int prepare(int life) {
  epoll = (int)SYS(epoll_create1, EPOLL_CLOEXEC);
  listeners = (int)SYS(epoll_create1, EPOLL_CLOEXEC);
  if (epoll < 0 || listeners < 0 || watch_events(EPOLL_CTL_ADD, life, EPOLLIN, ABOUT(SUBJECT_END, 0)) < 0) return 0;
  // those of connections together, as there may be no room for any
  long result = watch_events(EPOLL_CTL_ADD, listeners, EPOLLIN, ABOUT(SUBJECT_LISTENERS, 0));
  for (uint32_t i = 0; i < relay_count && result >= 0; i++) {
    struct epoll_event event = {EPOLLIN, i};
    if (relays[i].type == SOCK_STREAM) {
      SYS(fcntl, relays[i].fd, F_SETFL, O_NONBLOCK | O_RDWR);
      result = SYS(epoll_ctl, listeners, EPOLL_CTL_ADD, relays[i].fd, &event);
    } else {
      result = watch_events(EPOLL_CTL_ADD, relays[i].fd, EPOLLIN, ABOUT(SUBJECT_DATAGRAMS, i));
    }
  }
  return result >= 0;
}

// 0 where the kernel has no room for one.
static int hear_listeners(void) {
  struct epoll_event events[16];
  long count = SYS(epoll_pwait, listeners, events, 16, 0, 0, 8);
  for (long i = 0; i < count; i++)
    if (!take_clients(relays + events[i].data)) return 0;
  return 1;
}

// What there is first, and only then what is new: no event is about something that has just got the number of another.
static int hear_events(const struct epoll_event *events, long count) {
  int fits = 1;
  for (long i = 0; i < count; i++) {
    uint32_t number = (uint32_t)events[i].data;
    if (events[i].data >> 32 == SUBJECT_CONNECTION) hear_connection(number, events[i].events);
    if (events[i].data >> 32 == SUBJECT_FLOW) take_replies(number);
  }
  for (long i = 0; i < count; i++) {
    if (events[i].data >> 32 == SUBJECT_DATAGRAMS) take_datagrams((uint32_t)events[i].data);
    if (events[i].data >> 32 == SUBJECT_LISTENERS) fits = hear_listeners();
  }
  return fits;
}

// The container has ended: what it has said last still arrives, where the client takes it.
__attribute__((noreturn)) static void deliver_last(void) {
  struct epoll_event events[64];
  int64_t until = now() + 1000;
  SYS(close, listeners);
  for (;;) {
    long count = SYS(epoll_pwait, epoll, events, 64, 0, 0, 8), heard = 0;
    for (long i = 0; i < count; i++) {
      uint32_t number = (uint32_t)events[i].data;
      if (events[i].data >> 32 == SUBJECT_CONNECTION) hear_connection(number, events[i].events), heard++;
      if (events[i].data >> 32 == SUBJECT_FLOW) take_replies(number), heard++;
    }
    if (heard == 0 || now() > until) leave(0);
  }
}

__attribute__((noreturn)) static void serve(void) {
  int listening = 1, fits = 1;
  for (;;) {
    struct epoll_event events[64];
    int timeout = !fits ? 100 : expire_flows() ? 10000 : -1;
    long count = SYS(epoll_pwait, epoll, events, 64, timeout, 0, 8);
    for (long i = 0; i < count; i++)
      if (events[i].data >> 32 == SUBJECT_END) deliver_last();
    fits = hear_events(events, count);
    // who finds no room waits in the socket
    int wanted = fits && has_room();
    if (wanted != listening) watch_events(EPOLL_CTL_MOD, listeners, wanted ? EPOLLIN : 0, ABOUT(SUBJECT_LISTENERS, 0));
    listening = wanted;
  }
}

__attribute__((noreturn)) static void proxy_main(long parent, int life) {
  name_process("mydocker:prx");
  SYS(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (SYS(getppid) != parent) leave(0);
  int kept = keep_only_relays(life);
  if (kept >= 0 && prepare(kept)) serve();
  // the monitor tries again, but not at once
  SYS(close_range, 3, ~0u, 0);
  rest(900);
  leave(125);
}

// 0, 1 and 2 are the client's, and closed when it leaves.
static int move_up(int fd) {
  int up = (int)SYS(fcntl, fd, F_DUPFD_CLOEXEC, ABOVE);
  if (up < 0) return fd;
  SYS(close, fd);
  return up;
}

static void start_proxy(void) {
  int life[2];
  long parent = SYS(getpid), result = SYS(pipe2, life, O_CLOEXEC);
  if (result >= 0) {
    result = new_process(0, &proxy.pidfd);
    if (result == 0) proxy_main(parent, life[0]);
    SYS(close, life[0]);
    if (result < 0) SYS(close, life[1]);
  }
  // no process or descriptor to be had: the client still waits
  if (result < 0) rest(100);
  else proxy.pid = result, proxy.life = move_up(life[1]), proxy.pidfd = move_up(proxy.pidfd);
}

struct pollfd proxy_alarm(void) {
  return (struct pollfd){proxy.pid ? proxy.pidfd : clients, POLLIN, 0};
}

// A client has come, or the proxy is gone: whoever killed it, the next client gets another one.
void hear_proxy_alarm(void) {
  if (!proxy.pid) {
    start_proxy();
    return;
  }
  end_proxy();
  await_proxy();
}

void end_proxy(void) {
  if (proxy.pid) SYS(close, proxy.life);
}

void await_proxy(void) {
  if (!proxy.pid) return;
  struct pollfd gone = {proxy.pidfd, POLLIN, 0};
  struct timespec most = {0, 200000000};
  SYS(ppoll, &gone, 1, &most, 0, 8);
  SYS(pidfd_send_signal, proxy.pidfd, SIGKILL, 0, 0);
  SYS(wait4, proxy.pid, 0, WALL, 0);
  SYS(close, proxy.pidfd);
  proxy.pid = 0;
}
