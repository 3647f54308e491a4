import { EngineError } from "../linux/errors.ts";
import { updateIndex } from "./index-file.ts";
import type { Store } from "./install.ts";
import { tagFor } from "./origin.ts";
import { resolveImage } from "./store.ts";

/** Gives the image that `reference` means one more (whole) name. Throws EngineError where there is no such image. */
export async function tagImage({ root, run, inUse }: Store, reference: string, full: string): Promise<void> {
  const image = await resolveImage(root, run, reference, { inUse });
  updateIndex(root, run, ({ images, tags }) => {
    if (!images.has(image.id)) throw new EngineError(`No such image: ${reference}`, 1);
    tags.set(full, tagFor(root, full, image.id));
  });
}
