import { listFolder } from "../linux/folder.ts";
import { statIfAny } from "../linux/stat.ts";
import { partialPath } from "./blob-writer.ts";
import { blobPath, blobsPath } from "./blobs.ts";
import type { ImageEntry } from "./index-file.ts";
import { blobsOf } from "./reach.ts";

/** The layers of images, each once, with the bytes of their content. */
export function layerSizes(entries: Iterable<ImageEntry>): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { layers, sizes: each = [], size } of entries)
    for (const [i, layer] of layers.entries()) sizes.set(layer, each[i] ?? size);
  return sizes;
}

/** The blobs of the store, with their sizes. */
export function blobSizes(root: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { name } of listFolder(blobsPath(root))) {
    const digest = `sha256:${name}`;
    sizes.set(digest, statIfAny(blobPath(root, digest))?.size ?? 0);
  }
  return sizes;
}

/** Bytes of what is on its way into the store, or was when somebody was broken off. */
export function partialBytes(root: string): number {
  let sum = 0;
  for (const { name } of listFolder(partialPath(root)))
    sum += statIfAny(`${partialPath(root)}/${name}`)?.size ?? 0;
  return sum;
}

/** Bytes of the layers that only the images of `gone` have, not those of `staying`, nor containers by their layers. */
export function freedLayers(
  gone: Iterable<ImageEntry>,
  staying: Iterable<ImageEntry>,
  layersInUse: ReadonlySet<string>,
): number {
  const kept = new Set([...layersInUse].map((layer) => layer.slice(layer.lastIndexOf("/") + 1)));
  for (const { layers } of staying) for (const layer of layers) kept.add(layer);
  let sum = 0;
  for (const [layer, size] of layerSizes(gone)) if (!kept.has(layer)) sum += size;
  return sum;
}

/** Bytes of the blobs that no image of `staying` names. */
export function freedBlobs(root: string, staying: ReadonlyMap<string, ImageEntry>): number {
  const kept = blobsOf(root, staying);
  let sum = 0;
  for (const [digest, size] of blobSizes(root)) if (!kept.has(digest)) sum += size;
  return sum;
}
