import type { ImageConfig } from "../image/store.ts";
import { copyTree } from "../image/tar/copy-tree.ts";
import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, mkdir, mkdirIfMissing, O, open, openIn } from "../linux/file.ts";
import { normalizePath } from "../linux/text.ts";
import { openMerged } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, Volume } from "./record.ts";

/**
 * The volumes that the user has given, and those that the image declares at other places. Each of these is a folder of the
 * container's own, which goes with it. Throws EngineError for a place where none can be.
 */
export function withDeclared(
  paths: Paths,
  id: string,
  given: readonly Volume[],
  { Volumes = {} }: ImageConfig,
): Volume[] {
  const taken = new Set(given.map(({ destination }) => destination));
  const volumes = [...given];
  for (const place of Object.keys(Volumes)) {
    const destination = normalizePath(place);
    if (!place.startsWith("/") || /^\/(proc\b.*)?$/.test(destination))
      throw new EngineError(`the image declares a volume at ${JSON.stringify(place)}, where none can be`);
    if (taken.has(destination)) continue;
    taken.add(destination);
    const source = `${paths.volumes(id)}/${volumes.length}`;
    volumes.push({ source, destination, readOnly: false, anonymous: true });
  }
  return volumes;
}

/** Makes the folders of these volumes, with what the image has at their places, as Docker does at the first use of a volume. */
export function fillVolumes(
  paths: Paths,
  id: string,
  { layers, volumes }: Pick<ContainerRecord, "layers" | "volumes">,
): void {
  const own = volumes.filter(({ anonymous }) => anonymous);
  if (own.length === 0) return;
  mkdirIfMissing(paths.volumes(id), 0o700);
  const merged = openMerged(paths, id, layers);
  try {
    for (const { source, destination } of own) fillVolume(merged, source, destination);
  } finally {
    close(merged);
  }
}

function fillVolume(merged: number, source: string, destination: string): void {
  mkdir(source, 0o755);
  const place = openFolderIn(merged, destination);
  if (place === undefined) return;
  const folder = open(source, O.RDONLY | O.DIRECTORY);
  try {
    copyTree(place, folder);
  } finally {
    close(folder);
    close(place);
  }
}

/** The image's folder at that place, by links as the container sees them; undefined where there is none. */
function openFolderIn(merged: number, path: string): number | undefined {
  try {
    return openIn(merged, path, O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}
