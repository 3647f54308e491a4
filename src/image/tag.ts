import { EngineError } from "../linux/errors.ts";
import { updateIndex } from "./index-file.ts";
import type { Store } from "./install.ts";
import { archiveSource } from "./origin.ts";
import { resolveImage } from "./store.ts";

/** Gives the image that `reference` means one more (whole) name. Throws EngineError where there is no such image. */
export async function tagImage({ root, run, inUse }: Store, reference: string, full: string): Promise<void> {
  const image = await resolveImage(root, run, reference, { inUse });
  updateIndex(root, run, ({ images, tags }) => {
    if (!images.has(image.id)) throw new EngineError(`No such image: ${reference}`, 1);
    // an archive of that name has it again when it changes
    const over = archiveSource(root, full);
    tags.set(full, { id: image.id, ...(over !== undefined && { over }) });
  });
}
