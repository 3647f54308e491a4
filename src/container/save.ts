import { saveImages } from "../image/archive/save.ts";
import type { Store } from "../image/install.ts";
import { resolveNames } from "../image/names.ts";
import { fullName, hasImage, resolveImage } from "../image/store.ts";
import { openStored, type StoredImage } from "../image/stored.ts";
import { sweepOnceABoot } from "../image/upkeep.ts";
import { imageStore, thenSweep } from "./images.ts";
import type { Paths } from "./paths.ts";

/** `save`: images by name or id, as one archive into the descriptor `out`. A repository without a tag means all of its tags. */
export async function saveNamed(paths: Paths, references: readonly string[], out: number): Promise<void> {
  const store = imageStore(paths);
  sweepOnceABoot(store);
  await thenSweep(store, () => save(store, references, out));
}

async function save({ root, run, inUse }: Store, references: readonly string[], out: number): Promise<void> {
  const opened = new Map<string, { readonly image: StoredImage; readonly tags: Set<string> }>();
  try {
    for (const reference of references) {
      // an archive of that name which is not unpacked yet is none of the tags so far
      if (hasImage(root, fullName(reference))) await resolveImage(root, run, reference, { inUse });
      for (const { name, tag } of resolveNames(root, reference)) {
        await resolveImage(root, run, name, { inUse });
        const image = await openStored(root, name);
        const known = opened.get(image.id);
        if (known !== undefined) image.release();
        const one = known ?? { image, tags: new Set<string>() };
        if (tag !== undefined) one.tags.add(tag);
        opened.set(image.id, one);
      }
    }
    saveImages(
      root,
      [...opened.values()].map(({ image, tags }) => ({ image, tags: [...tags] })),
      out,
    );
  } finally {
    for (const { image } of opened.values()) image.release();
  }
}
