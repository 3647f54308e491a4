// Datagrams: a socket for each client, so that the container's answers find back. Nobody says when that is over: it is where
// nothing has come or gone for a while, or where others need the place.
#include "proxy.h"

#define IDLE_MS 90000
#define SWEEP_MS 10000
// So many of one socket before it is others' turn.
#define TURN 32

struct flow {
  // 0 where it is none
  int fd;
  uint32_t relay;
  struct address client, target;
  int64_t last;
  // The next one with the same hash, counted from 1.
  uint16_t next;
};

static struct flow flows[MOST_FLOWS];
static uint16_t heads[MOST_FLOWS];
static uint32_t flow_count;
static int64_t swept;

static int same(const struct address *a, const struct address *b) {
  const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
  for (size_t i = 0; i < sizeof *a; i++)
    if (x[i] != y[i]) return 0;
  return 1;
}

// The clients of one host differ by their ports.
static uint16_t *head_of(uint32_t relay, const struct address *client) {
  return heads + (client->port ^ client->bytes[15] << 3 ^ relay * 31) % MOST_FLOWS;
}

static void end_flow(struct flow *flow) {
  uint16_t *link = head_of(flow->relay, &flow->client);
  while (*link != flow - flows + 1) link = &flows[*link - 1].next;
  *link = flow->next;
  SYS(close, flow->fd);
  flow->fd = 0;
  flow_count--;
}

// Ends those that are over, from time to time; whether there are others.
int expire_flows(void) {
  if (flow_count == 0) return 0;
  int64_t time = now();
  if (time < swept + SWEEP_MS) return 1;
  swept = time;
  for (struct flow *flow = flows; flow < flows + MOST_FLOWS; flow++)
    if (flow->fd && flow->last + IDLE_MS < time) end_flow(flow);
  return flow_count > 0;
}

// A free place, or that of the one who was quiet for longest.
static struct flow *find_place(void) {
  struct flow *oldest = flows;
  for (struct flow *flow = flows; flow < flows + MOST_FLOWS; flow++) {
    if (!flow->fd) return flow;
    if (flow->last < oldest->last) oldest = flow;
  }
  end_flow(oldest);
  return oldest;
}

static struct flow *begin_flow(uint32_t relay, const struct address *client, const struct address *target) {
  long fd = open_socket(SOCK_DGRAM);
  if (fd < 0) return NULL;
  struct flow *flow = find_place();
  uint16_t *head = head_of(relay, client);
  if (SYS(connect, fd, target, sizeof *target) < 0 ||
      watch_events(EPOLL_CTL_ADD, (int)fd, EPOLLIN, ABOUT(SUBJECT_FLOW, flow - flows)) < 0) {
    SYS(close, fd);
    return NULL;
  }
  *flow = (struct flow){(int)fd, relay, *client, *target, 0, *head};
  *head = (uint16_t)(flow - flows + 1);
  flow_count++;
  return flow;
}

// The container may have another address than before, and somebody else that one.
static struct flow *flow_of(uint32_t relay, const struct address *client, const struct address *target) {
  for (uint16_t number = *head_of(relay, client); number; number = flows[number - 1].next) {
    struct flow *flow = flows + number - 1;
    if (flow->relay != relay || !same(&flow->client, client)) continue;
    if (same(&flow->target, target)) return flow;
    end_flow(flow);
    break;
  }
  return begin_flow(relay, client, target);
}

void take_datagrams(uint32_t number) {
  const struct relay *relay = relay_of(number);
  struct address client, target;
  int known = find_target(relay, &target);
  int64_t time = now();
  for (int i = 0; i < TURN; i++) {
    uint32_t length = sizeof client;
    long got = SYS(recvfrom, relay->fd, chunk, CHUNK, MSG_DONTWAIT, &client, &length);
    if (got < 0) return;
    struct flow *flow = known ? flow_of(number, &client, &target) : NULL;
    if (!flow) continue;
    flow->last = time;
    long sent = SYS(sendto, flow->fd, chunk, got, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    // of an earlier one: nobody listened to that
    if (sent == -ECONNREFUSED) SYS(sendto, flow->fd, chunk, got, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
  }
}

void take_replies(uint32_t number) {
  struct flow *flow = flows + number;
  for (int i = 0; i < TURN && flow->fd; i++) {
    long got = SYS(recvfrom, flow->fd, chunk, CHUNK, MSG_DONTWAIT, 0, 0);
    // an error is told once, and the next datagram may arrive
    if (got < 0) return;
    flow->last = now();
    SYS(sendto, relay_of(flow->relay)->fd, chunk, got, MSG_DONTWAIT | MSG_NOSIGNAL, &flow->client, sizeof flow->client);
  }
}
