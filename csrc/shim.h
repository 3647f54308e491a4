// What the files of the shim share. One process has one set of orders and one role.
#ifndef SHIM_H
#define SHIM_H
#include "sys.h"
#include "wire.h"

extern const struct orders *orders;
extern uint32_t clone_flags;

// shim.c: what BEGIN and LAUNCH bring
int has_flag(uint32_t flag);
void await_orders(int fd);
void open_standard_streams(void);

// orders.c: reading what TypeScript wrote
const char *text_of(struct span span);
char **texts_of(struct span span);
const char *next_text(const char *text);
void *more_memory(size_t size);

// message.c: the two sockets
int send_message(int fd, int32_t kind, int32_t a, int32_t b, int32_t c);
int receive_message(int fd, struct message *message, int flags);
// How many descriptors may come with one.
#define MOST_FDS 12
// Above the numbers of all descriptors that are given.
#define ABOVE 64
int receive_descriptors(int fd, struct message *message, int *fds);
__attribute__((noreturn)) void fail(int fd, int stage, long result);

// process.c: making processes
long new_process(uint64_t flags, int *pidfd);
__attribute__((noreturn)) void leave(int code);
void name_process(const char *name);

// stdio.c: the program's own ends of its standard streams
struct stdio {
  int in_read, in_write, out_read, out_write, err_read, err_write;
};
long make_stdio(struct stdio *stdio);
void take_stdio(const struct stdio *stdio);
void own_stdio(void);
void take_null(void);
void close_program_ends(const struct stdio *stdio);

// What is to become of what the client is making: still open, to outlive the client, the client's to
// remove, or left behind by a client that died.
enum fate { FATE_OPEN, FATE_COMMITTED, FATE_DONE, FATE_ABANDONED };

// How a program ended: its exit code, and whether the kernel has killed a process of its group for lack of memory.
struct end {
  int code, oom;
};

// journal.c: what is told of a container's end, and of its memory before
size_t fill_in(char *to, const char *text, struct end end);
void watch_memory(void);
struct pollfd memory_alarm(void);
void hear_memory_alarm(void);
int killed_for_memory(void);
void journal_end(struct end end);

// pump.c: carries bytes between the client, the program and the log until the program ends, and what a slow client has
// not taken by then
int pump(const struct stdio *stdio, int pidfd, int pid, enum fate *fate);
int client_is_behind(void);
void deliver_rest(void);
void detach_client(void);

// proxy.c: those who come by the host's ::1
void hold_relay(int fd, int port, int type);
struct pollfd proxy_alarm(void);
void hear_proxy_alarm(void);
void end_proxy(void);
void await_proxy(void);

// log.c: Docker's json-file format
enum { LOG_STDOUT, LOG_STDERR };
void log_feed(int stream, const uint8_t *data, size_t length);
void log_end(void);
size_t format_time(char *to);

// program.c: the last steps before the user's program, and it
__attribute__((noreturn)) void run_program(const struct stdio *stdio);
void join_cgroups(void);

// reaper.c: a pid 1 for a program that is none
void become_reaping_init(void);

// the roles
__attribute__((noreturn)) void monitor_main(void);
__attribute__((noreturn)) void enter_main(void);
#endif
