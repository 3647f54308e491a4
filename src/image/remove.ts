import { isDiskFull } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { mkdirAll, unlinkIfAny } from "../linux/file.ts";
import { findId } from "./find.ts";
import { familiar, fullName } from "./full-name.ts";
import type { ImageUse } from "./image.ts";
import { type Index, type OpenIndex, openIndex, readIndex, writeIndex } from "./index-file.ts";
import { holdExclusive } from "./locks.ts";
import { archiveName, archivePath, isArchiveName } from "./name.ts";
import { archiveSource, EMBEDDED_NAME, embeddedId, isEmbedded, isInStep } from "./origin.ts";
import { removeId, removeName } from "./removal.ts";
import { type Extent, type SweptLayer, takeUnreachable } from "./sweep.ts";
import { dropTemporary, removeStale } from "./temporary.ts";

/**
 * Changes the index, and removes what is no longer reached then. Waits for containers being made: not to be called while
 * holding the images. What `change` throws leaves all as it was. Returns the names of the layers that were removed.
 */
export function changeAndSweep(
  root: string,
  run: string,
  inUse: () => ReadonlySet<string>,
  change: (index: OpenIndex, before: Index) => void,
  extent: Extent = "whole",
): string[] {
  // the first command of all on a machine may be one that sweeps
  mkdirAll(root, 0o700);
  const releaseImages = holdExclusive(run, "images");
  const releaseIndex = holdExclusive(run, "images-index");
  let swept: readonly SweptLayer[];
  let written = false;
  try {
    const before = readIndex(root);
    const index = openIndex(before);
    dropOutdated(root, index);
    change(index, before);
    written = writeIfRoom(root, index);
    swept = takeUnreachable(root, index.images, inUse(), extent);
    if (!written) {
      for (const layer of swept) dropTemporary(layer);
      writeIndex(root, index);
    }
  } finally {
    releaseIndex();
    releaseImages();
  }
  // the slow part: nobody has to wait for it
  if (written) for (const layer of swept) dropTemporary(layer);
  removeStale(root, run);
  return swept.map(({ layer }) => layer);
}

/** False where the disk is full: then something must go before the index can be written. */
function writeIfRoom(root: string, index: OpenIndex): boolean {
  try {
    writeIndex(root, index);
    return true;
  } catch (error) {
    if (isDiskFull(error)) return false;
    throw error;
  }
}

/** Names whose archive the user took away, or that a newer archive has. */
function dropOutdated(root: string, index: OpenIndex): void {
  for (const [full, tag] of index.tags) {
    const archive = archiveSource(root, full);
    if (tag.from !== undefined && archive === undefined && !isInStep(tag, archive)) index.tags.delete(full);
  }
}

/** See `removeImage` in store.ts; the rules are those of Docker's `rmi`. */
export function removeImageNow(root: string, run: string, reference: string, use: ImageUse): string[] {
  const full = fullName(reference);
  const said: string[] = [];
  let deleted: string | undefined;
  const layers = changeAndSweep(root, run, use.inUse, (index, before) => {
    const tag = index.tags.get(full);
    const id = tag?.id ?? findId(root, before, reference);
    if (id === undefined) return removeArchive(root, full, said, reference);
    const byName = tag !== undefined || index.digests.has(full);
    const { names, deletes } = byName ? removeName(index, id, full, use) : removeId(index, id, use);
    for (const name of names) {
      const embedded = isEmbedded(index.tags.get(name));
      // the archive before the index: while it is there the name would come back
      if (unlinkArchive(root, name) || !embedded) said.push(`Untagged: ${familiar(name)}`);
      index.tags.delete(name);
      index.digests.delete(name);
    }
    if (!deletes) return;
    index.images.delete(id);
    deleted = id;
  });
  if (deleted !== undefined) said.push(`Deleted: ${deleted}`);
  const gone = layers.map((layer) => `sha256:${layer}`).filter((layer) => layer !== deleted);
  return [...said, ...gone.map((layer) => `Deleted: ${layer}`)];
}

/** An image of which there is no more than an archive, not unpacked yet. */
function removeArchive(root: string, full: string, said: string[], reference: string): void {
  if (unlinkArchive(root, full)) said.push(`Untagged: ${familiar(full)}`);
  else if (full === EMBEDDED_NAME && embeddedId() !== undefined)
    throw new EngineError(
      `cannot remove image ${reference}: it is a part of this program, and not unpacked`,
      1,
    );
  else throw new EngineError(`No such image: ${reference}`, 1);
}

function unlinkArchive(root: string, full: string): boolean {
  const name = archiveName(full);
  return name !== undefined && isArchiveName(name) && unlinkIfAny(archivePath(root, name));
}
