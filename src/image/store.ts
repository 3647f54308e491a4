import { findImage } from "./find.ts";
import type { Image, ImageUse } from "./image.ts";
import { own, readIndex } from "./index-file.ts";
import { archiveSource, EMBEDDED_NAME, isInStep } from "./origin.ts";
import type { Progress } from "./progress.ts";

export { findImage } from "./find.ts";
export { familiar, fullName, shortId, splitFull } from "./full-name.ts";
export type { Image, ImageConfig, ImageUse, ImageUser } from "./image.ts";
export { hasUnlistedLayers, type ListedImage, listImages } from "./list.ts";
export { holdImages, withImagesShared } from "./locks.ts";
export { archiveName, archivePath, isArchiveName } from "./name.ts";

/** Where an image may be taken from that is not in the store. */
export interface Wish {
  readonly pull: "missing" | "always" | "never";
  /** As the user wrote it. */
  readonly platform?: string;
  /** Opened when there is something to tell. */
  readonly progress: () => Promise<Progress>;
  /** Runs what takes its time, so that the user can break it off. */
  readonly interruptible: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly inUse: () => ReadonlySet<string>;
}

/** For an image that is only to be taken from what is there. */
export type Local = Pick<Wish, "inUse">;

/**
 * The image that `reference` names, unpacked now where it must be, and with a `wish` pulled where it is not there. Any number
 * of processes may ask at once: one unpacks, the others wait. Throws EngineError where there is no such image, or it is
 * refused.
 */
export async function resolveImage(
  root: string,
  run: string,
  reference: string,
  wish?: Wish | Local,
): Promise<Image> {
  const isSure = wish === undefined || !("pull" in wish) || (wish.pull !== "always" && !wish.platform);
  const found = isSure ? findImage(root, reference) : undefined;
  if (found !== undefined) return found;
  const { obtainImage } = await import("./obtain.ts");
  return await obtainImage(root, run, reference, wish);
}

/** Whether there is an image of that whole name, unpacked or not. */
export function hasImage(root: string, full: string): boolean {
  const tag = own(readIndex(root).tags, full);
  const archive = archiveSource(root, full);
  return archive !== undefined || full === EMBEDDED_NAME || (tag !== undefined && isInStep(tag, archive));
}

/**
 * Removes the unpacked layers and the blobs that neither the index nor any container reaches, and what killed processes
 * left. `inUse` is asked, for the folder names (or paths) of the layers of all containers, when no container can be made
 * any more. Waits for containers being made: not to be called while holding the images.
 */
export async function removeUnreachable(
  root: string,
  run: string,
  inUse: () => ReadonlySet<string>,
): Promise<void> {
  const { changeAndSweep } = await import("./remove.ts");
  changeAndSweep(root, run, inUse, () => {});
}

/**
 * Removes an image, or one of its names: its archive in image/, its entry, and its layers where no container uses them.
 * Returns what Docker prints: `Untagged: NAME`, `Deleted: sha256:…`. The embedded busybox stays; only its unpacked layer
 * goes. Throws EngineError where there is none, or it is in use.
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
