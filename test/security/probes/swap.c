// swap A B: exchanges two names as fast as it can, until it is killed or its folder goes (renameat2, RENAME_EXCHANGE).
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  for (long done = 0; renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) == 0; done++)
    if (done == 0) puts("ready"), fflush(stdout);
  return 1;
}
