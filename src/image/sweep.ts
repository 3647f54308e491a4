import { close, lock, O, open, rename, unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { isStillAt, statIfAny } from "../linux/stat.ts";
import { partialPath } from "./blob-writer.ts";
import { blobPath, blobsPath } from "./blobs.ts";
import type { ImageEntry } from "./index-file.ts";
import { layersPath } from "./name.ts";
import { blobsOf } from "./reach.ts";
import { TEMPORARY, type Temporary, temporaryPath } from "./temporary.ts";

/**
 * Reachability: the index names images, an image names its manifest, its configuration and its layers, a container names
 * its layers. All else may go, but for what somebody holds by a lock on it: pulls and the like hold what they have brought
 * until the index names it. The index is read (and its lock held) before the locks are tried, so that nothing can come into
 * the index between the look and the removal.
 */

/** What was taken out of the store. */
export interface Swept {
  /** Names of layers, whose folders are now to be removed (slow, and under no lock). */
  readonly layers: readonly (Temporary & { readonly layer: string })[];
  readonly blobs: readonly string[];
}

/** How long a download that nobody goes on with is kept for who tries again, in ms. */
const PARTIAL_LIFE = 24 * 3600_000;

/**
 * Takes out of the way what `images` do not reach and no container uses. The caller holds `images` and `images-index`
 * exclusively. With `everything`, downloads that were broken off go too, however young.
 */
export function takeUnreachable(
  root: string,
  images: ReadonlyMap<string, ImageEntry>,
  inUse: ReadonlySet<string>,
  everything: boolean,
): Swept {
  const usedLayers = new Set([...inUse].map((layer) => layer.slice(layer.lastIndexOf("/") + 1)));
  for (const entry of images.values()) for (const layer of entry.layers) usedLayers.add(layer);
  takePartials(root, everything);
  return { layers: takeLayers(root, usedLayers), blobs: takeBlobs(root, blobsOf(root, images)) };
}

function takeLayers(root: string, used: ReadonlySet<string>): Swept["layers"] {
  const taken: (Temporary & { layer: string })[] = [];
  for (const { name } of listFolder(layersPath(root))) {
    if (name.startsWith(TEMPORARY) || used.has(name)) continue;
    const layer = `${layersPath(root)}/${name}`;
    const fd = open(layer, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    // locked before it has a temporary name, or it would be taken for a stale one
    if (!lock(fd, false)) {
      close(fd);
      continue;
    }
    const path = temporaryPath(root);
    rename(layer, path);
    taken.push({ path, fd, layer: name });
  }
  return taken;
}

function takeBlobs(root: string, used: ReadonlySet<string>): string[] {
  return listFolder(blobsPath(root)).flatMap(({ name }) => {
    const digest = `sha256:${name}`;
    return !used.has(digest) && removeUnheld(blobPath(root, digest)) ? [digest] : [];
  });
}

function takePartials(root: string, everything: boolean): void {
  for (const { name } of listFolder(partialPath(root))) {
    const path = `${partialPath(root)}/${name}`;
    const written = Number((statIfAny(path)?.mtime ?? 0n) / 1_000_000n);
    // one without a digest for a name can never be gone on with
    if (everything || name.startsWith(".") || Date.now() - written > PARTIAL_LIFE) removeUnheld(path);
  }
}

/** Removes a file, unless somebody holds it. */
function removeUnheld(path: string): boolean {
  const fd = open(path, O.RDONLY | O.NOFOLLOW);
  try {
    return lock(fd, false) && isStillAt(fd, path) && unlinkIfAny(path);
  } finally {
    close(fd);
  }
}
