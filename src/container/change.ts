import { close, lock, O, open } from "../linux/file.ts";
import type { Paths } from "./paths.ts";

/**
 * Does `work` while nobody else pauses, resumes or updates the container: its monitor holds the lock on its folder for as
 * long as it runs, so that these have one of their own.
 */
export function withChange<T>(paths: Paths, id: string, work: () => T): T {
  const fd = open(paths.changing(id), O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  try {
    lock(fd, true);
    return work();
  } finally {
    close(fd);
  }
}
