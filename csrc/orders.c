#include "shim.h"

const struct orders *orders;

const char *text_of(struct span span) {
  return (const char *)orders + span.at;
}

const char *next_text(const char *text) {
  return text + text_length(text) + 1;
}

// The texts as a NULL-terminated array of pointers, as execve wants them. NULL where memory is out.
char **texts_of(struct span span) {
  size_t size = (span.count + 1) * sizeof(char *);
  long at = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096) return NULL;
  char **list = (char **)at;
  const char *text = text_of(span);
  for (uint32_t i = 0; i < span.count; i++, text = next_text(text)) list[i] = (char *)text;
  return list;
}
