import type { ImageEntry } from "./index-file.ts";
import { readBlob } from "./read-blob.ts";

/** The digests of all blobs that images name. */
export function blobsOf(root: string, images: ReadonlyMap<string, ImageEntry>): ReadonlySet<string> {
  const used = new Set<string>();
  for (const [id, { manifest }] of images) {
    if (manifest === undefined) continue;
    used.add(id);
    used.add(manifest);
    for (const layer of layersOf(root, manifest)) used.add(layer);
  }
  return used;
}

/** The digests of a manifest's layers; none where it cannot be read: such an image runs on, but cannot be saved. */
function layersOf(root: string, manifest: string): string[] {
  try {
    const text = new TextDecoder().decode(readBlob(root, manifest));
    const { layers } = JSON.parse(text) as { readonly layers: readonly { readonly digest: string }[] };
    return layers.map(({ digest }) => digest);
  } catch {
    return [];
  }
}
