// What the parts of the proxy share.
#ifndef PROXY_H
#define PROXY_H
#include "shim.h"

// A socket of the host's whose clients are taken to a port of the container's.
struct relay {
  int fd;
  uint16_t port, type;
};

// What an event is about; the number of which stands in the lower half.
enum subject { SUBJECT_END, SUBJECT_LISTENERS, SUBJECT_DATAGRAMS, SUBJECT_CONNECTION, SUBJECT_FLOW };
#define ABOUT(subject, number) ((uint64_t)(subject) << 32 | (uint32_t)(number))

// proxy.c
#define CHUNK 65536
extern uint8_t chunk[CHUNK];
const struct relay *relay_of(uint32_t number);
long watch_events(int change, int fd, uint32_t events, uint64_t data);
int64_t now(void);
// The container's port as an address; 0 where it has none now.
int find_target(const struct relay *relay, struct address *target);
long open_socket(int type);
void set_option(int fd, int level, int option, int value);

// proxy-tcp.c
#define MOST_CONNECTIONS 1024
int has_room(void);
int take_clients(const struct relay *relay);
void hear_connection(uint32_t number, uint32_t events);

// proxy-udp.c
#define MOST_FLOWS 1024
void take_datagrams(uint32_t number);
void take_replies(uint32_t number);
int expire_flows(void);
#endif
