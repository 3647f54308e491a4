import { type HeldBlob, newBlob } from "./blob-writer.ts";
import { compileFor } from "./compiled.ts";
import { packLayer } from "./tar/pack-layer.ts";
import { type ReadOptions, TreeReader } from "./tar/tree-reader.ts";

/**
 * Packs the tree open on `root` into a blob of the store, as a plain tar, whose digest is the layer's diff id too: a container's own
 * layer in overlayfs's form, without the engine's own places (`except`), or with `whole` a tree as it is seen.
 */
export function packBlob(
  root: string,
  tree: number,
  options: Pick<ReadOptions, "owners"> &
    ({ readonly whole: true } | { readonly whole: false; readonly except: readonly string[] }),
): HeldBlob {
  compileFor();
  const writer = newBlob(root);
  try {
    if (options.whole)
      for (const piece of new TreeReader({ ...(options.owners && { owners: options.owners }) }).read(tree))
        writer.write(piece);
    else packLayer(tree, writer, options);
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
