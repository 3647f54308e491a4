import { exists } from "../linux/stat.ts";
import type { Image } from "./image.ts";
import { entryOf, type IndexEntry, readIndex } from "./index-file.ts";
import { imageName, layersPath } from "./name.ts";
import { currentSource } from "./origin.ts";

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
