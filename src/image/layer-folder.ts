import { isErrno } from "../linux/errno.ts";
import { close, lock, lockShared, mkdirIfMissing, rename, tryLockShared } from "../linux/file.ts";
import { listFolder, removeTree } from "../linux/folder.ts";
import { isStillAt } from "../linux/stat.ts";
import { layersPath } from "./name.ts";
import { dropTemporary, makeLayersFolder, openFolder, TEMPORARY, type Temporary } from "./temporary.ts";

/** Opens an unpacked layer and keeps it from being swept until the descriptor is closed; undefined where there is none. */
export function holdLayer(root: string, name: string): number | undefined {
  const path = `${layersPath(root)}/${name}`;
  const fd = openFolder(path);
  if (fd === undefined) return undefined;
  if (tryLockShared(fd) && isStillAt(fd, path)) return fd;
  close(fd);
  return undefined;
}

const PATIENCE_MS = 25;

/**
 * A layer of that name: one that is there (a descriptor that keeps it), or an empty folder to make it in, once nobody else
 * is making it. What a killed process left in that folder is removed. `signal` ends the waiting with its reason.
 */
export async function wantLayer(
  root: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<number | Temporary> {
  makeLayersFolder(root);
  const path = `${layersPath(root)}/${TEMPORARY}${name}`;
  for (;;) {
    signal?.throwIfAborted();
    const present = holdLayer(root, name);
    if (present !== undefined) return present;
    mkdirIfMissing(path);
    const fd = openFolder(path);
    if (fd !== undefined && lock(fd, false) && isStillAt(fd, path)) {
      const made = holdLayer(root, name);
      if (made === undefined) {
        for (const entry of listFolder(path)) removeTree(`${path}/${entry.name}`);
        return { path, fd };
      }
      removeTree(path);
      close(fd);
      return made;
    }
    if (fd !== undefined) close(fd);
    await Bun.sleep(PATIENCE_MS);
  }
}

/**
 * Gives a layer that is whole its name. Returns the descriptor that keeps it from then on: that of the folder, or of the same
 * layer where somebody else (an archive in image/, an import) has brought it meanwhile, and the folder is gone. It is not yet
 * safe from a power cut. What is thrown leaves the folder to be dropped.
 */
export function publishLayer(root: string, temporary: Temporary, name: string): number {
  // shared before it has its name: who looks for it by that must not take it for one being removed
  lockShared(temporary.fd);
  try {
    rename(temporary.path, `${layersPath(root)}/${name}`);
    return temporary.fd;
  } catch (error) {
    const present = isErrno(error, "EEXIST", "ENOTEMPTY") ? holdLayer(root, name) : undefined;
    if (present === undefined) throw error;
    dropTemporary(temporary);
    return present;
  }
}
