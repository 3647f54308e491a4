import { listFolder } from "../linux/folder.ts";
import { statIfAny } from "../linux/stat.ts";
import { entryOf, type IndexEntry, readIndex } from "./index-file.ts";
import { archivePath, imageName, layersPath } from "./name.ts";
import { currentSource, EMBEDDED_NAME, embeddedId } from "./origin.ts";

/** An image that `run` would find. Without `id` and `size` it is not unpacked yet, or its archive has changed since. */
export interface ListedImage {
  readonly name: string;
  readonly id?: string;
  /** Bytes of file content, unpacked. */
  readonly size?: number;
  /** RFC 3339; of an image that was not unpacked, when its archive was written. */
  readonly created?: string;
  readonly embedded: boolean;
}

/** All images, by name: those in image/, unpacked or not, and the embedded one. */
export function listImages(root: string): ListedImage[] {
  const index = readIndex(root);
  const names = new Set<string>();
  if (embeddedId() !== undefined) names.add(EMBEDDED_NAME);
  for (const { name } of listFolder(`${root}/image`))
    if (isArchive(name)) names.add(name.slice(0, -".tar".length));
  return [...names].sort().flatMap((name) => describe(root, name, entryOf(index, name)) ?? []);
}

function describe(root: string, name: string, entry: IndexEntry | undefined): ListedImage | undefined {
  const source = currentSource(root, name);
  // removed since the folder was read
  if (source === undefined) return undefined;
  const embedded = source.startsWith("embedded:");
  if (entry?.source === source)
    return { name, id: entry.id, size: entry.size, created: entry.created, embedded };
  const written = statIfAny(archivePath(root, name))?.mtime;
  if (written !== undefined) return { name, created: timeText(written), embedded };
  const id = embeddedId();
  return id === undefined ? { name, embedded } : { name, id, embedded };
}

function isArchive(file: string): boolean {
  if (!file.endsWith(".tar")) return false;
  const name = file.slice(0, -".tar".length);
  try {
    return imageName(name) === name;
  } catch {
    return false;
  }
}

/** Nanoseconds since 1970 as RFC 3339. */
export function timeText(time: bigint): string {
  return new Date(Number(time / 1_000_000n)).toISOString();
}

/** Whether there are unpacked layers that no image of the index names: those that containers may still use, or leftovers. */
export function hasUnlistedLayers(root: string): boolean {
  const listed = new Set(Object.values(readIndex(root)).flatMap((entry) => entry.layers));
  return listFolder(layersPath(root)).some(({ name }) => !listed.has(name));
}
