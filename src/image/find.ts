import { EngineError } from "../linux/errors.ts";
import { exists } from "../linux/stat.ts";
import { readConfig } from "./blobs.ts";
import { fullName } from "./full-name.ts";
import type { Image } from "./image.ts";
import { type ImageEntry, type Index, own, readIndex, type Tag } from "./index-file.ts";
import { layersPath } from "./name.ts";
import { archiveSource, isInStep } from "./origin.ts";

/** An entry of the index as the image it stands for. */
export function toImage(root: string, id: string, entry: ImageEntry): Image {
  const { size, created } = entry;
  return {
    id,
    ...(entry.config ? { config: entry.config } : readConfig(root, id)),
    size,
    created,
    layers: entry.layers.map((layer) => `${layersPath(root)}/${layer}`),
  };
}

/** What a reference means in the index: by a name that is in step, by what was pulled, or by the beginning of an id. */
export function findId(root: string, index: Index, reference: string): string | undefined {
  const full = fullName(reference);
  const tag = own(index.tags, full);
  if (tag !== undefined) return isInStep(tag, archiveSource(root, full)) ? tag.id : undefined;
  return own(index.digests, full) ?? idOf(root, index, reference);
}

/** The one image whose id begins so, unless it lives by names that are all out of step; EngineError where there are several. */
function idOf(root: string, index: Index, reference: string): string | undefined {
  const match = /^(?:sha256:)?([0-9a-f]{2,64})$/.exec(reference);
  if (!match) return undefined;
  const ids = Object.keys(index.images).filter((id) => id.startsWith(`sha256:${match[1]}`));
  const [id, another] = ids;
  if (another !== undefined)
    throw new EngineError(`cannot use image ${reference}: several ids begin with it: give more of it`);
  if (id === undefined || own(index.images, id)?.manifest !== undefined) return id;
  return tagsOf(index, id).some(([full, tag]) => isInStep(tag, archiveSource(root, full))) ? id : undefined;
}

/** The tags of an image, by their whole names. */
export function tagsOf(index: Index, id: string): [full: string, tag: Tag][] {
  return Object.entries(index.tags).filter(([, tag]) => tag.id === id);
}

/** Whether all layers of an entry are there: somebody may have cleared them by hand, and then they are made again. */
export function hasLayers(root: string, entry: ImageEntry): boolean {
  return entry.layers.every((layer) => exists(`${layersPath(root)}/${layer}`));
}

/**
 * The image that `reference` (a name, or the beginning of an id) names, where it is unpacked and in step with what it came
 * from; undefined where it is not (then `resolveImage` is to be asked). Throws EngineError for a part of an id that
 * several have.
 */
export function findImage(root: string, reference: string): Image | undefined {
  const index = readIndex(root);
  const id = findId(root, index, reference);
  const entry = id === undefined ? undefined : own(index.images, id);
  if (id === undefined || entry === undefined || !hasLayers(root, entry)) return undefined;
  return toImage(root, id, entry);
}
