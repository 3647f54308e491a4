import { isErrno } from "../linux/errno.ts";
import { close, lock, mkdir, mkdirAll, mkdirIfMissing, O, open, unlinkIfAny } from "../linux/file.ts";
import { listFolder, removeTree } from "../linux/folder.ts";
import { holdExclusive } from "./locks.ts";
import { layersPath } from "./name.ts";

/** How the names of folders begin that are no layers (yet, or any more). */
export const TEMPORARY = ".tmp-";

/** A folder beside the layers, for a tree that is being made or removed. It is ours while `fd` holds its lock. */
export interface Temporary {
  readonly path: string;
  readonly fd: number;
}

/** Makes ROOT/layers (mode 0700: its files are the containers', set-id bits and all). */
export function makeLayersFolder(root: string): void {
  mkdirAll(root, 0o700);
  mkdirIfMissing(layersPath(root), 0o700);
}

/** A name for a temporary folder that nobody else has. */
export function temporaryPath(root: string): string {
  return `${layersPath(root)}/${TEMPORARY}${crypto.randomUUID()}`;
}

/** A new locked temporary folder (mode 0755). The index lock keeps it from being taken for a stale one meanwhile. */
export function makeTemporary(root: string, run: string): Temporary {
  makeLayersFolder(root);
  const path = temporaryPath(root);
  const release = holdExclusive(run, "images-index");
  try {
    mkdir(path, 0o755);
    const fd = open(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    lock(fd, true);
    return { path, fd };
  } finally {
    release();
  }
}

/** Removes a temporary folder with all in it. */
export function dropTemporary(temporary: Temporary): void {
  removeTree(temporary.path);
  close(temporary.fd);
}

/** Removes what processes that were killed left behind: folders nobody holds, half-written index files. */
export function removeStale(root: string, run: string): void {
  const stale: Temporary[] = [];
  const release = holdExclusive(run, "images-index");
  try {
    // written only under the lock that is held here, so by nobody now
    for (const { name } of listFolder(root))
      if (name.startsWith(".images.json.")) unlinkIfAny(`${root}/${name}`);
    for (const { name } of listFolder(layersPath(root))) {
      if (!name.startsWith(TEMPORARY)) continue;
      const path = `${layersPath(root)}/${name}`;
      const fd = openFolder(path);
      if (fd === undefined) continue;
      if (lock(fd, false)) stale.push({ path, fd });
      else close(fd);
    }
  } finally {
    release();
  }
  for (const temporary of stale) dropTemporary(temporary);
}

/** Opens a layer or a temporary folder; undefined where there is none: its owner has removed it, or given it another name. */
export function openFolder(path: string): number | undefined {
  try {
    return open(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
