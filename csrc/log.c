// Docker's json-file format: an object a line with log, stream and time.
#include "shim.h"

#define LINE 16384

static uint8_t lines[2][LINE];
static size_t line_lengths[2];
static char written[32768];
static size_t written_length;
static int torn;

static void write_out(void) {
  size_t done = 0;
  while (done < written_length) {
    long wrote = SYS(write, FD_LOG, written + done, written_length - done);
    // a full disk loses log lines, never the container
    if (wrote < 0 && wrote != -EINTR) break;
    if (wrote > 0) done += (size_t)wrote;
  }
  if (done < written_length) torn = 1;
  written_length = 0;
}

static void put(const char *text, size_t length) {
  if (written_length + length > sizeof written) write_out();
  copy(written + written_length, text, length);
  written_length += length;
}

static void put_text(const char *text) {
  put(text, text_length(text));
}

static void put_two_digits(char **at, unsigned value) {
  *(*at)++ = (char)('0' + value / 10);
  *(*at)++ = (char)('0' + value % 10);
}

// Now, as RFC 3339 with nanoseconds in UTC (30 characters). Days to a date by the civil calendar's
// 400-year cycle, counted from the first of March.
size_t format_time(char *to) {
  struct timespec now;
  SYS(clock_gettime, CLOCK_REALTIME, &now);
  unsigned long days = (unsigned long)now.sec / 86400 + 719468, second = (unsigned long)now.sec % 86400;
  unsigned long era = days / 146097, of_era = days % 146097;
  unsigned long year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  unsigned long of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned long shifted = (5 * of_year + 2) / 153;
  unsigned month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
  unsigned year = (unsigned)(year_of_era + era * 400 + (month <= 2));
  char *at = to;
  put_two_digits(&at, year / 100);
  put_two_digits(&at, year % 100);
  *at++ = '-';
  put_two_digits(&at, month);
  *at++ = '-';
  put_two_digits(&at, (unsigned)(of_year - (153 * shifted + 2) / 5 + 1));
  *at++ = 'T';
  put_two_digits(&at, (unsigned)(second / 3600));
  *at++ = ':';
  put_two_digits(&at, (unsigned)(second / 60 % 60));
  *at++ = ':';
  put_two_digits(&at, (unsigned)(second % 60));
  *at++ = '.';
  for (long unit = 100000000; unit > 0; unit /= 10) *at++ = (char)('0' + now.nsec / unit % 10);
  *at++ = 'Z';
  return (size_t)(at - to);
}

// The length of the UTF-8 sequence at `data` (1 to 4), 0 where it is not one, -1 where it is cut off.
static int sequence(const uint8_t *data, size_t left) {
  uint8_t first = data[0], low = 0x80, high = 0xbf;
  int length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  // overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629)
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  for (int i = 1; i < length; i++, low = 0x80, high = 0xbf) {
    if ((size_t)i >= left) return -1;
    if (data[i] < low || data[i] > high) return 0;
  }
  return length;
}

static void put_escaped(const uint8_t *data, size_t length) {
  static const char hex[] = "0123456789abcdef";
  for (size_t i = 0; i < length;) {
    uint8_t c = data[i];
    int size = sequence(data + i, length - i);
    if (size <= 0) {
      put("\\ufffd", 6);
      i++;
      continue;
    }
    if (c == '"' || c == '\\') put((char[]){'\\', (char)c}, 2);
    else if (c == '\n') put("\\n", 2);
    else if (c == '\r') put("\\r", 2);
    else if (c == '\t') put("\\t", 2);
    else if (c < 0x20 || c == 0x7f) put((char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    else put((const char *)data + i, (size_t)size);
    i += (size_t)size;
  }
}

static void put_record(int stream, const uint8_t *data, size_t length) {
  char time[32];
  // what was lost may have been the end of a record: the next one must not stand on the same line
  if (torn) put_text("\n");
  torn = 0;
  put_text("{\"log\":\"");
  put_escaped(data, length);
  put_text(stream == LOG_STDOUT ? "\",\"stream\":\"stdout\",\"time\":\"" : "\",\"stream\":\"stderr\",\"time\":\"");
  put(time, format_time(time));
  put_text("\"}\n");
}

// A line that is longer than LINE becomes several records; a character is not torn between them.
static size_t whole_characters(const uint8_t *data, size_t length) {
  for (size_t back = 1; back <= 3 && back < length; back++)
    if (data[length - back] >= 0xc0) return sequence(data + length - back, back) < 0 ? length - back : length;
  return length;
}

void log_feed(int stream, const uint8_t *data, size_t length) {
  uint8_t *line = lines[stream];
  size_t used = line_lengths[stream];
  for (size_t i = 0; i < length; i++) {
    line[used++] = data[i];
    if (data[i] == '\n') {
      put_record(stream, line, used);
      used = 0;
    } else if (used == LINE) {
      size_t whole = whole_characters(line, used);
      put_record(stream, line, whole);
      copy(line, line + whole, used - whole);
      used -= whole;
    }
  }
  line_lengths[stream] = used;
  write_out();
}

// The program has ended: lines without an end are records too.
void log_end(void) {
  if (!has_flag(FLAG_LOG)) return;
  for (int stream = 0; stream < 2; stream++)
    if (line_lengths[stream] > 0) put_record(stream, lines[stream], line_lengths[stream]);
  write_out();
}
