import { familiar } from "./full-name.ts";
import type { ImageUse } from "./image.ts";
import { type ImageEntry, type OpenIndex, openIndex, readIndex } from "./index-file.ts";
import { type ListedImage, listImages } from "./list.ts";
import { namesOf } from "./removal.ts";
import { changeAndSweep } from "./remove.ts";
import { freedBlobs, freedLayers, partialBytes } from "./usage.ts";

export interface PruneOptions {
  /** All that no container uses, not only those without a tag. */
  readonly all: boolean;
  readonly dryRun: boolean;
  readonly fits: (image: ListedImage) => boolean;
}

/**
 * `image prune`: removes images that no container uses, and what was left in the store by pulls that were broken off. Archives
 * in image/ are the user's, and stay. Returns Docker's lines, and the bytes that are free now (or would be).
 */
export async function pruneImages(
  root: string,
  run: string,
  use: ImageUse,
  { all, dryRun, fits }: PruneOptions,
): Promise<{ readonly said: readonly string[]; readonly reclaimed: number }> {
  const index = readIndex(root);
  const gone = new Map<string, ImageEntry>();
  for (const image of listImages(root)) {
    const { id, entry, tags } = image;
    if (id === undefined || entry?.manifest === undefined || (tags.length > 0 && !all)) continue;
    if (fits(image) && use.usersOf(id).length === 0) gone.set(id, entry);
  }
  const staying = new Map(Object.entries(index.images).filter(([id]) => !gone.has(id)));
  const reached = freedLayers(gone.values(), staying.values(), use.inUse()) + freedBlobs(root, staying);
  const said: string[] = [];
  const remove = (open: OpenIndex): void => {
    for (const id of gone.keys()) {
      // a container may have been made of it since
      if (use.usersOf(id).length > 0) continue;
      for (const name of namesOf(open, id)) {
        said.push(`untagged: ${familiar(name)}`);
        open.tags.delete(name);
        open.digests.delete(name);
      }
      if (open.images.delete(id)) said.push(`deleted: ${id}`);
    }
  };
  const partials = partialBytes(root);
  if (dryRun) remove(openIndex(index));
  else changeAndSweep(root, run, use.inUse, remove, "everything");
  const brokenOff = dryRun ? 0 : Math.max(0, partials - partialBytes(root));
  return { said, reclaimed: reached + brokenOff };
}
