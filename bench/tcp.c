/*
 * How much one TCP connection carries: `tcp serve PORT` takes all that comes, for ever; `tcp send ADDRESS PORT SECONDS`
 * sends for so long and prints megabytes a second.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];

static void check(long result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void serve(int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  check(bind(listener, (struct sockaddr *)&name, sizeof name), "bind");
  check(listen(listener, 1), "listen");
  for (;;) {
    int client = accept(listener, NULL, NULL);
    check(client, "accept");
    while (read(client, buffer, sizeof buffer) > 0);
    close(client);
  }
}

static void send_for(const char *address, int port, double seconds) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int client = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, address, &name.sin_addr);
  check(connect(client, (struct sockaddr *)&name, sizeof name), "connect");
  double begin = now(), sent = 0;
  while (now() < begin + seconds) {
    ssize_t wrote = write(client, buffer, sizeof buffer);
    check(wrote, "write");
    sent += (double)wrote;
  }
  printf("%.1f\n", sent / 1e6 / (now() - begin));
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(atoi(argv[2]));
  if (argc == 5 && strcmp(argv[1], "send") == 0) {
    send_for(argv[2], atoi(argv[3]), atof(argv[4]));
    return 0;
  }
  fprintf(stderr, "usage: tcp serve PORT | tcp send ADDRESS PORT SECONDS\n");
  return 2;
}
