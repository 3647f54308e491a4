import { EngineError } from "../linux/errors.ts";
import { close, lock, O, open, rename, unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { exists } from "../linux/stat.ts";
import type { ImageUse } from "./image.ts";
import { entryOf, readIndex, updateIndex } from "./index-file.ts";
import { holdExclusive } from "./locks.ts";
import { archivePath, imageName, layersPath, repositoryAndTag } from "./name.ts";
import { currentSource } from "./origin.ts";
import { dropTemporary, removeStale, type Temporary, temporaryPath } from "./temporary.ts";

/** See `removeUnusedLayers` in store.ts. */
export function sweepLayers(root: string, run: string, inUse: () => ReadonlySet<string>): void {
  const release = holdExclusive(run, "images");
  let unused: Unused[];
  try {
    unused = takeUnused(root, run, inUse());
  } finally {
    release();
  }
  // the slow part: nobody has to wait for it
  for (const temporary of unused) dropTemporary(temporary);
  removeStale(root, run);
}

/** See `removeImage` in store.ts. */
export function removeImageNow(root: string, run: string, reference: string, use: ImageUse): string[] {
  const name = imageName(reference);
  const said: string[] = [];
  const release = holdExclusive(run, "images");
  let unused: Unused[];
  try {
    const source = currentSource(root, name);
    const entry = entryOf(readIndex(root), name);
    const embedded = source?.startsWith("embedded:") === true;
    if (source === undefined && entry === undefined)
      throw new EngineError(`cannot remove image ${name}: No such image: ${name}`, 1);
    if (embedded && entry === undefined)
      throw new EngineError(`cannot remove image ${name}: it is a part of this program, and not unpacked`, 1);
    const user = use.force === true ? undefined : use.usedBy(name);
    if (user !== undefined)
      throw new EngineError(`cannot remove image ${name}: conflict: container ${user} is using it`, 1);
    // the archive first: while it is there the entry would come back. The index last: on a full disk it cannot be
    // written before something is gone, and an entry without its layers does no harm
    if (unlinkIfAny(archivePath(root, name)) || !embedded)
      said.push(`Untagged: ${repositoryAndTag(name).join(":")}`);
    unused = takeUnused(root, run, use.inUse(), name);
    if (entry?.layers.some((layer) => unused.some((each) => each.layer === layer)))
      said.push(`Deleted: ${entry.id}`);
  } finally {
    release();
  }
  for (const temporary of unused) dropTemporary(temporary);
  forgetRemoved(root, run, name);
  return said;
}

/** A layer on its way out: already under a temporary name. */
interface Unused extends Temporary {
  readonly layer: string;
}

/** Takes an image out of the index, unless it has come back meanwhile. */
function forgetRemoved(root: string, run: string, name: string): void {
  const release = holdExclusive(run, "images");
  try {
    const entry = entryOf(readIndex(root), name);
    const there = entry?.layers.every((layer) => exists(`${layersPath(root)}/${layer}`));
    const source = currentSource(root, name);
    if (entry && !(there && source === entry.source)) updateIndex(root, run, name, undefined);
  } finally {
    release();
  }
}

/** Takes the layers out of the way that are unused, or would be without `removed`. Only while the images are held exclusively. */
function takeUnused(root: string, run: string, inUse: ReadonlySet<string>, removed?: string): Unused[] {
  const used = new Set([...inUse].map((layer) => layer.slice(layer.lastIndexOf("/") + 1)));
  for (const [name, entry] of Object.entries(readIndex(root))) {
    if (name === removed) continue;
    // the user took the archive away: that was the image
    if (currentSource(root, name) === undefined) updateIndex(root, run, name, undefined);
    else for (const layer of entry.layers) used.add(layer);
  }
  const unused: Unused[] = [];
  for (const { name } of listFolder(layersPath(root))) {
    if (name.startsWith(".") || used.has(name)) continue;
    const layer = `${layersPath(root)}/${name}`;
    const fd = open(layer, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    // locked before it has a temporary name, or it would be taken for a stale one
    if (!lock(fd, false)) {
      close(fd);
      continue;
    }
    const path = temporaryPath(root);
    rename(layer, path);
    unused.push({ path, fd, layer: name });
  }
  return unused;
}
