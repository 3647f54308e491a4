// catch MILLISECONDS [own]: looks at each process that comes into sight meanwhile, for what it holds of the host: its
// executable, its descriptors, its folders. Without `own` those of this container's own programs (below /bin and /probes) are
// left out. Prints each thing seen once, and at the end whether any executable could be opened for writing.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MOST 512
static char seen[MOST][160];
static int seen_count, kept[MOST], kept_count, own;

static void say(const char *kind, const char *what) {
  char line[160];
  // pipes and sockets differ by their numbers alone
  snprintf(line, sizeof line, "%s %.140s", kind, what);
  char *number = strstr(line, ":[");
  if (number) *number = 0;
  for (int i = 0; i < seen_count; i++)
    if (strcmp(seen[i], line) == 0) return;
  if (seen_count < MOST) strcpy(seen[seen_count++], line);
}

static int target_of(const char *path, char *to, size_t size) {
  ssize_t length = readlink(path, to, size - 1);
  if (length < 0) return 0;
  to[length] = 0;
  return 1;
}

static void look_at_descriptors(const char *pid) {
  char path[96], target[128];
  snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
  DIR *folder = opendir(path);
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, entry->d_name);
    if (entry->d_name[0] != '.' && target_of(path, target, sizeof target)) say("fd", target);
  }
  closedir(folder);
}

static int is_ours(const char *target) {
  return !own && (strncmp(target, "/bin/", 5) == 0 || strncmp(target, "/probes/", 8) == 0);
}

// It may have become another program's before it was opened.
static void keep(int fd) {
  char path[64], target[128];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (kept_count < MOST && target_of(path, target, sizeof target) && !is_ours(target)) kept[kept_count++] = fd;
  else close(fd);
}

static void look_at(const char *pid) {
  char path[96], target[128];
  snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
  if (!target_of(path, target, sizeof target)) return;
  if (is_ours(target)) return;
  say("exe", target);
  keep(open(path, O_RDONLY | O_CLOEXEC));
  look_at_descriptors(pid);
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "/proc/%.20s/%s", pid, i ? "cwd" : "root");
    if (target_of(path, target, sizeof target)) say(i ? "cwd" : "root", target);
  }
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  own = argc > 2;
  printf("ready\n");
  fflush(stdout);
  for (long end = now() + atoi(argv[1]); now() < end;) {
    DIR *proc = opendir("/proc");
    if (!proc) return 2;
    for (struct dirent *entry; (entry = readdir(proc));)
      if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && atoi(entry->d_name) != getpid()) look_at(entry->d_name);
    closedir(proc);
  }
  // a program that runs is busy (ETXTBSY): then its mount says what would be possible when it does not
  int writable = 0;
  for (int i = 0; i < kept_count; i++) {
    char path[64];
    struct statvfs mount;
    snprintf(path, sizeof path, "/proc/self/fd/%d", kept[i]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    int busy = fd < 0 && errno == ETXTBSY;
    writable += fd >= 0 || (busy && fstatvfs(kept[i], &mount) == 0 && !(mount.f_flag & ST_RDONLY));
  }
  for (int i = 0; i < seen_count; i++) printf("%s\n", seen[i]);
  printf("executables %d writable %d\n", kept_count, writable);
  return 0;
}
