import { isErrno } from "../linux/errno.ts";
import { close, lock, lockShared, mkdirAll, O, open } from "../linux/file.ts";

/**
 * Locks (flock(2)) on files in RUN/.locks that are never removed, as removing one would let two hold it.
 * Whoever takes several takes them in this order:
 *   images          shared while a container is made or an image unpacked, exclusive while layers are removed
 *   image-NAME      exclusive while that image is unpacked or removed
 *   images-index    exclusive while images.json is changed, or a temporary folder made or found stale
 */
function openLock(run: string, name: string): number {
  const path = `${run}/.locks/${name}`;
  try {
    return open(path, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    mkdirAll(`${run}/.locks`, 0o700);
    return open(path, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  }
}

/**
 * Runs `work` while no layer can be removed: from the look-up of an image until the container that uses it is
 * recorded. Three system calls; waits while somebody removes images. `work` must be synchronous.
 */
export function withImagesShared<T>(run: string, work: () => T): T {
  const release = holdImages(run);
  try {
    return work();
  } finally {
    release();
  }
}

/** The same for a longer time: returns what lets go. */
export function holdImages(run: string): () => void {
  const fd = openLock(run, "images");
  lockShared(fd);
  return () => close(fd);
}

/** Waits for the exclusive lock of that name and returns what lets go of it. */
export function holdExclusive(run: string, name: "images" | "images-index" | `image-${string}`): () => void {
  const fd = openLock(run, name);
  lock(fd, true);
  return () => close(fd);
}

/** Whether somebody holds the lock of that name at the moment, so that one would have to wait for it. */
export function isLocked(run: string, name: "images"): boolean {
  const fd = openLock(run, name);
  try {
    return !lock(fd, false);
  } finally {
    close(fd);
  }
}
