// What is told of a container's end: reports with the exit code filled in, lines of the journal of events, and whether
// memory was the reason.
#include "shim.h"

static size_t put_number(char *to, int number) {
  char digits[12];
  size_t n = 0, at = 0;
  do digits[n++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  while (n > 0) to[at++] = digits[--n];
  return at;
}

// Replaces @CODE@, @OOM@ and @TIME@ while copying; returns the length. Each stands there once, so 64 bytes more are enough.
size_t fill_in(char *to, const char *text, struct end end) {
  size_t at = 0;
  while (*text) {
    if (text_starts(text, "@CODE@")) {
      at += put_number(to + at, end.code);
      text += 6;
    } else if (text_starts(text, "@OOM@")) {
      copy(to + at, end.oom ? "true" : "false", end.oom ? 4 : 5);
      at += end.oom ? 4 : 5;
      text += 5;
    } else if (text_starts(text, "@TIME@")) {
      at += format_time(to + at);
      text += 6;
    } else {
      to[at++] = *text++;
    }
  }
  return at;
}

// One write with O_APPEND: lines of several processes do not mix.
static void journal(const char *line, struct end end) {
  char *filled = more_memory(text_length(line) + 64);
  if (!filled) return;
  size_t size = fill_in(filled, line, end);
  filled[size++] = '\n';
  long fd = SYS(openat, AT_FDCWD, text_of(orders->journal), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return;
  SYS(write, fd, filled, size);
  SYS(close, fd);
}

// The file that counts whom the kernel has killed in the group, and what becomes readable when it has: on v2 the file
// itself, on v1 a counter of events (cgroup-v1/memory.rst, "OOM Control").
static int counter = -1;
static struct pollfd alarm = {-1, 0, 0};
static int told;

// How many processes the kernel has killed for lack of memory: the program, or others.
static int kills(void) {
  char text[1024];
  if (counter < 0 || SYS(lseek, counter, 0, 0) < 0) return 0;
  long got = SYS(read, counter, text, sizeof text - 1);
  text[got > 0 ? got : 0] = 0;
  for (const char *line = text; *line; line++)
    if ((line == text || line[-1] == '\n') && text_starts(line, "oom_kill ")) {
      int count = 0;
      for (line += 9; *line >= '0' && *line <= '9'; line++) count = count * 10 + (*line - '0');
      return count;
    }
  return 0;
}

static void tell_memory(void) {
  journal(text_of(orders->oom_event), (struct end){0, 1});
  told++;
}

// The counter alone is enough where there is no alarm: the end is told then.
void watch_memory(void) {
  if (!orders->oom_file.count) return;
  counter = (int)SYS(openat, AT_FDCWD, text_of(orders->oom_file), O_RDONLY | O_CLOEXEC);
  if (counter < 0) return;
  if (!orders->oom_control.count) {
    kills();
    alarm = (struct pollfd){counter, POLLPRI, 0};
    return;
  }
  long control = SYS(openat, AT_FDCWD, text_of(orders->oom_control), O_WRONLY | O_CLOEXEC);
  long events = SYS(eventfd2, 0, O_CLOEXEC | O_NONBLOCK);
  char pair[32];
  size_t at = put_number(pair, (int)events);
  pair[at++] = ' ';
  at += put_number(pair + at, counter);
  if (control >= 0 && events >= 0 && SYS(write, control, pair, at) > 0) alarm = (struct pollfd){(int)events, POLLIN, 0};
  SYS(close, control);
}

struct pollfd memory_alarm(void) {
  return alarm;
}

// Something has happened; on v2 that may also be that the group has reached its limit, or is below it.
void hear_memory_alarm(void) {
  uint64_t count;
  if (alarm.fd != counter) {
    if (SYS(read, alarm.fd, &count, sizeof count) > 0) tell_memory();
  } else if (kills() > told) {
    tell_memory();
    told = kills();
  }
}

int killed_for_memory(void) {
  return kills() > 0;
}

// The end of a container that was to be.
void journal_end(struct end end) {
  if (end.oom && !told) tell_memory();
  journal(text_of(orders->die_event), end);
}
