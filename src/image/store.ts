import { exists } from "../linux/stat.ts";
import type { Image } from "./image.ts";
import { entryOf, type IndexEntry, readIndex } from "./index-file.ts";
import { imageName, layersPath } from "./name.ts";
import { currentSource } from "./origin.ts";

export type { Image, ImageConfig } from "./image.ts";
export { type ListedImage, listImages } from "./list.ts";
export { holdImages, withImagesShared } from "./locks.ts";
export { archivePath, imageName } from "./name.ts";
export { EMBEDDED_NAME } from "./origin.ts";

/** An entry of the index as the image it stands for. */
export function toImage(root: string, name: string, entry: IndexEntry): Image {
  const { id, config, size, created } = entry;
  return {
    name,
    id,
    config,
    size,
    created,
    layers: entry.layers.map((layer) => `${layersPath(root)}/${layer}`),
  };
}

/**
 * The image that `reference` names, where it is unpacked and in step with its archive; undefined where it is not
 * (then `resolveImage` is to be asked). Reads images.json and makes two stat calls. Throws EngineError for a
 * reference that can be none.
 */
export function findImage(root: string, reference: string): Image | undefined {
  const name = imageName(reference);
  const entry = entryOf(readIndex(root), name);
  if (entry === undefined || entry.source !== currentSource(root, name)) return undefined;
  // somebody may have cleared the layers by hand: unpacking again is better than a mount that fails
  if (!entry.layers.every((layer) => exists(`${layersPath(root)}/${layer}`))) return undefined;
  return toImage(root, name, entry);
}

/**
 * The image that `reference` names, unpacked now where it must be. Any number of processes may ask at once: one
 * unpacks, the others wait. Throws EngineError where there is no such image or its archive is refused.
 */
export async function resolveImage(root: string, run: string, reference: string): Promise<Image> {
  const found = findImage(root, reference);
  if (found !== undefined) return found;
  const { unpackImage } = await import("./resolve.ts");
  return unpackImage(root, run, imageName(reference));
}

/**
 * Removes the unpacked layers that neither the index nor any container uses, and what killed processes left.
 * `inUse` is asked, for the folder names (or paths) of the layers of all containers, when no container can be made
 * any more. Waits for containers being made: not to be called while holding the images.
 */
export async function removeUnusedLayers(
  root: string,
  run: string,
  inUse: () => ReadonlySet<string>,
): Promise<void> {
  const { sweepLayers } = await import("./remove.ts");
  sweepLayers(root, run, inUse);
}

/** Who uses the image to be removed. */
export interface ImageUse {
  /** The name or id of a container that uses a layer of it, if any: then it is not removed unless `force`. */
  readonly usedBy: (image: { readonly name: string; readonly id: string }) => string | undefined;
  readonly inUse: () => ReadonlySet<string>;
  readonly force?: boolean;
}

/**
 * Removes an image: its archive in image/, its entry, and its layers where no container uses them. Returns what Docker
 * prints: `Untagged: NAME`, `Deleted: sha256:…`. The embedded busybox stays; only its unpacked layer goes.
 */
export async function removeImage(
  root: string,
  run: string,
  reference: string,
  use: ImageUse,
): Promise<string[]> {
  const { removeImageNow } = await import("./remove.ts");
  return removeImageNow(root, run, reference, use);
}
