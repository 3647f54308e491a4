import { isErrno } from "../linux/errno.ts";
import { close, lock, O, open, rename, unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { fstat, isRegular, isStillAt, lstatIfAny } from "../linux/stat.ts";
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

/** A layer that was taken out of the store by its name; its folder is now to be removed (slow, and under no lock). */
export interface SweptLayer extends Temporary {
  readonly layer: string;
}

/** How long what a pull that was broken off has brought is kept for who tries again, in ms. */
const GRACE = 24 * 3600_000;

/**
 * How much of what is not reached is to go: what is a day old, as a pull that was broken off may be tried again; all that is
 * whole, and downloads that are a day old; or these too.
 */
export type Extent = "old" | "whole" | "everything";

/**
 * Takes out of the way what `images` do not reach and no container uses. The caller holds `images` and `images-index`
 * exclusively. Returns the layers; blobs are gone.
 */
export function takeUnreachable(
  root: string,
  images: ReadonlyMap<string, ImageEntry>,
  inUse: ReadonlySet<string>,
  extent: Extent,
): SweptLayer[] {
  const usedLayers = new Set([...inUse].map((layer) => layer.slice(layer.lastIndexOf("/") + 1)));
  for (const entry of images.values()) for (const layer of entry.layers) usedLayers.add(layer);
  takePartials(root, extent);
  const layers = takeLayers(root, usedLayers, extent);
  takeBlobs(root, blobsOf(root, images), extent);
  return layers;
}

/** Whether something came, or got its name, less than a day ago. */
function isYoung(path: string): boolean {
  const since = lstatIfAny(path)?.ctime ?? 0n;
  return Date.now() - Number(since / 1_000_000n) < GRACE;
}

function takeLayers(root: string, used: ReadonlySet<string>, extent: Extent): SweptLayer[] {
  const taken: SweptLayer[] = [];
  for (const { name } of listFolder(layersPath(root))) {
    if (name.startsWith(TEMPORARY) || used.has(name)) continue;
    const layer = `${layersPath(root)}/${name}`;
    if (extent === "old" && isYoung(layer)) continue;
    const fd = openIfFits(layer, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    if (fd === undefined) continue;
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

function takeBlobs(root: string, used: ReadonlySet<string>, extent: Extent): void {
  for (const { name } of listFolder(blobsPath(root))) {
    const digest = `sha256:${name}`;
    const path = blobPath(root, digest);
    if (used.has(digest) || (extent === "old" && isYoung(path))) continue;
    removeUnheld(path);
  }
}

function takePartials(root: string, extent: Extent): void {
  for (const { name } of listFolder(partialPath(root))) {
    const path = `${partialPath(root)}/${name}`;
    // one without a digest for a name can never be gone on with
    if (extent === "everything" || name.startsWith(".") || !isYoung(path)) removeUnheld(path);
  }
}

/** Removes a file, unless somebody holds it, or has given it another name by now. */
function removeUnheld(path: string): void {
  const fd = openIfFits(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
  if (fd === undefined) return;
  try {
    if (isRegular(fstat(fd)) && lock(fd, false) && isStillAt(fd, path)) unlinkIfAny(path);
  } finally {
    close(fd);
  }
}

/** Opens what the store itself has made; undefined for what is gone by now, as who wrote it is done, or is not of its kind. */
function openIfFits(path: string, flags: number): number | undefined {
  try {
    return open(path, flags);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO")) return undefined;
    throw error;
  }
}
