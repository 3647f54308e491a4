import { findImage } from "./find.ts";
import type { Image, ImageUse } from "./image.ts";
import { imageName } from "./name.ts";

export { findImage } from "./find.ts";
export type { Image, ImageConfig, ImageUse } from "./image.ts";
export { hasUnlistedLayers, type ListedImage, listImages } from "./list.ts";
export { holdImages, withImagesShared } from "./locks.ts";
export { archivePath, imageName, isListedUnder, repositoryAndTag } from "./name.ts";
export { EMBEDDED_NAME, hasImage } from "./origin.ts";

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
