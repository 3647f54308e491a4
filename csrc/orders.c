#include "shim.h"

const struct orders *orders;

const char *text_of(struct span span) {
  return (const char *)orders + span.at;
}

const char *next_text(const char *text) {
  return text + text_length(text) + 1;
}

// Zeroed memory that is never given back; NULL where there is none.
void *more_memory(size_t size) {
  long at = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at < 0 && at > -4096 ? NULL : (void *)at;
}

// The texts as a NULL-terminated array of pointers, as execve wants them. NULL where memory is out.
char **texts_of(struct span span) {
  char **list = more_memory((span.count + 1) * sizeof(char *));
  if (!list) return NULL;
  const char *text = text_of(span);
  for (uint32_t i = 0; i < span.count; i++, text = next_text(text)) list[i] = (char *)text;
  return list;
}
