import { listFolder } from "../linux/folder.ts";
import { statIfAny } from "../linux/stat.ts";
import { type ImageEntry, type Index, readIndex } from "./index-file.ts";
import { archiveName, archivePath, fullNameOfArchive, isArchiveName, layersPath } from "./name.ts";
import { archiveSource, EMBEDDED_NAME, embeddedFacts, embeddedId, isInStep } from "./origin.ts";

/**
 * An image that `run` would find. Of one that is not unpacked yet, or whose archive has changed since, only the name is known,
 * and when its archive was written.
 */
export interface ListedImage {
  readonly id?: string;
  /** Whole names; none where another image has them by now. */
  readonly tags: readonly string[];
  /** `REPOSITORY@DIGEST` of where it was pulled from or pushed to. */
  readonly digests: readonly string[];
  /** Bytes of file content, unpacked. */
  readonly size?: number;
  /** RFC 3339. */
  readonly created?: string;
  readonly entry?: ImageEntry;
}

/** All images: those of the index, those in image/ that are not unpacked yet, and the embedded one. The newest come first. */
export function listImages(root: string): ListedImage[] {
  const index = readIndex(root);
  const archives = archivesIn(root);
  const tags = groupTags(root, index, archives);
  const digests = group(Object.entries(index.digests).map(([name, id]) => [id, name] as const));
  const listed: ListedImage[] = [];
  for (const [id, entry] of Object.entries(index.images)) {
    const names = tags.get(id) ?? [];
    if (names.length === 0 && entry.manifest === undefined) continue;
    listed.push({
      id,
      tags: names.sort(),
      digests: (digests.get(id) ?? []).sort(),
      size: entry.size,
      created: entry.created,
      entry,
    });
  }
  listed.push(...notUnpacked(root, new Set(listed.flatMap((image) => image.tags)), archives));
  return newestFirst(listed);
}

function newestFirst(listed: readonly ListedImage[]): ListedImage[] {
  // each time is read once, not at every comparison
  const timed = listed.map((image) => ({ image, time: Date.parse(image.created ?? "") || 0 }));
  const name = ({ tags }: ListedImage): string => tags[0] ?? "";
  timed.sort((a, b) => b.time - a.time || (name(a.image) < name(b.image) ? -1 : 1));
  return timed.map(({ image }) => image);
}

/** The whole names of each image that are in step with the archives. */
function groupTags(root: string, index: Index, archives: ReadonlySet<string>): ReadonlyMap<string, string[]> {
  const inStep = Object.entries(index.tags).filter(([full, tag]) => {
    const archive = archives.has(archiveName(full) ?? "") ? archiveSource(root, full) : undefined;
    return isInStep(tag, archive);
  });
  return group(inStep.map(([full, tag]) => [tag.id, full] as const));
}

function group<T>(pairs: readonly (readonly [string, T])[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const [key, value] of pairs) {
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [value]);
    else known.push(value);
  }
  return groups;
}

/** The plain names of the archives in image/. */
function archivesIn(root: string): ReadonlySet<string> {
  const files = listFolder(`${root}/image`).filter(({ name }) => name.endsWith(".tar"));
  return new Set(files.map(({ name }) => name.slice(0, -".tar".length)).filter(isArchiveName));
}

/** What `run` would unpack first, of names that no unpacked image has. */
function notUnpacked(
  root: string,
  listed: ReadonlySet<string>,
  archives: ReadonlySet<string>,
): ListedImage[] {
  const found: ListedImage[] = [];
  for (const name of archives) {
    const full = fullNameOfArchive(name);
    const written = listed.has(full) ? undefined : statIfAny(archivePath(root, name))?.mtime;
    if (written !== undefined) found.push({ tags: [full], digests: [], created: timeText(written) });
  }
  const id = embeddedId();
  const taken = listed.has(EMBEDDED_NAME) || archives.has(archiveName(EMBEDDED_NAME) ?? "");
  if (id !== undefined && !taken) {
    found.push({ id, tags: [EMBEDDED_NAME], digests: [], ...embeddedFacts() });
  }
  return found;
}

/** Nanoseconds since 1970 as RFC 3339. */
export function timeText(time: bigint): string {
  return new Date(Number(time / 1_000_000n)).toISOString();
}

/** Whether there are unpacked layers that no image of the index names: those that containers may still use, or leftovers. */
export function hasUnlistedLayers(root: string): boolean {
  const listed = new Set(Object.values(readIndex(root).images).flatMap((entry) => entry.layers));
  return listFolder(layersPath(root)).some(({ name }) => !listed.has(name));
}
