import type { ImageConfig } from "../image/store.ts";
import { copyTree } from "../image/tar/copy-tree.ts";
import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, openIn, writeFile } from "../linux/file.ts";
import { normalizePath } from "../linux/text.ts";
import { type HeldVolume, useVolume } from "../volume/make.ts";
import { ANONYMOUS, checkVolumeName, newVolumeName, VolumePaths } from "../volume/record.ts";
import type { MountWish, VolumesFrom } from "./mount-wish.ts";
import { openMerged } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, Volume } from "./record.ts";
import { findId, readRecord } from "./store.ts";

/** What the mounts of a new container follow from. */
interface Wanted {
  readonly volumes: readonly Volume[];
  readonly mounts?: MountWish;
}

/**
 * The mounts of a new container, a place each: those of other containers (--volumes-from), over them those that the user has
 * given, and where there is none of these, volumes for the places that the image declares. Volumes without a name get one.
 * Throws EngineError for a place where none can be.
 */
export function resolveVolumes(
  paths: Paths,
  { volumes, mounts }: Wanted,
  { Volumes }: ImageConfig,
): Pick<ContainerRecord, "volumes" | "tmpfs"> {
  const places = new Map<string, Volume>();
  const tmpfs = new Map(mounts?.tmpfs.map((one) => [one.destination, one]));
  for (const other of mounts?.from ?? []) {
    const taken = takeFrom(paths, other);
    for (const one of taken.volumes) places.set(one.destination, one);
    for (const one of taken.tmpfs) if (!tmpfs.has(one.destination)) tmpfs.set(one.destination, one);
  }
  for (const { destination } of mounts?.tmpfs ?? []) places.delete(destination);
  for (const one of volumes) {
    places.set(one.destination, one);
    tmpfs.delete(one.destination);
  }
  for (const destination of [...(mounts?.asked.anonymous ?? []), ...declaredPlaces(Volumes ?? {})])
    if (!places.has(destination) && !tmpfs.has(destination))
      places.set(destination, { source: "", destination, readOnly: false, name: "" });
  const store = new VolumePaths(paths.root);
  const named = [...places.values()].map((one) => (one.name === undefined ? one : withName(store, one)));
  return { volumes: named, ...(tmpfs.size > 0 && { tmpfs: [...tmpfs.values()] }) };
}

function declaredPlaces(declared: object): string[] {
  return Object.keys(declared).map((place) => {
    const destination = normalizePath(place);
    if (place.startsWith("/") && !/^\/(proc\b.*)?$/.test(destination)) return destination;
    throw new EngineError(`the image declares a volume at ${JSON.stringify(place)}, where none can be`);
  });
}

function withName(store: VolumePaths, volume: Volume): Volume {
  const name = volume.name || newVolumeName();
  checkVolumeName(name);
  return { ...volume, name, source: store.data(name), ...(volume.name === "" && { anonymous: true }) };
}

/** What another container has. It is not filled again; and it is no more writable than there. */
function takeFrom(paths: Paths, from: VolumesFrom): Required<Pick<ContainerRecord, "volumes" | "tmpfs">> {
  const { volumes, tmpfs = [] } = recordOf(paths, from.container);
  return {
    volumes: volumes.map(({ anonymous, labels, ...one }) => ({
      ...one,
      readOnly: one.readOnly || from.readOnly,
      ...(one.name !== undefined && { noCopy: true }),
      // one of an older record is a folder of that container's own
      ...(one.name !== undefined && anonymous && { anonymous }),
    })),
    tmpfs: tmpfs
      .filter(({ shown }) => shown)
      .map((one) => (from.readOnly ? { ...one, options: [...one.options, "ro"] } : one)),
  };
}

function recordOf(paths: Paths, reference: string): ContainerRecord {
  try {
    return readRecord(paths, findId(paths, reference));
  } catch (error) {
    throw error instanceof EngineError ? new EngineError(error.message) : error;
  }
}

/**
 * Makes the volumes of a new container that there are none of, and fills those that are empty with what the image has at
 * their places. Nobody removes them until they are let go: by then the container's record says that it has them.
 */
export function holdVolumes(
  paths: Paths,
  { id, layers, volumes, autoRemove }: Pick<ContainerRecord, "id" | "layers" | "volumes" | "autoRemove">,
): () => void {
  const names = [...new Set(volumes.flatMap(({ name }) => name ?? []))];
  const own = volumes.flatMap(({ name, anonymous }) => (name !== undefined && anonymous ? [name] : []));
  if (own.length > 0) {
    // before they are made: should this process be killed, they go with the rest of the container
    writeFile(paths.anonymous(id), own.join("\n"));
    // the monitor cannot remove them
    if (autoRemove) writeFile(paths.unsettled(id), "");
  }
  const held: HeldVolume[] = [];
  const release = (): void => {
    for (const one of held.splice(0)) one.release();
  };
  const image = new ImageView(paths, id, layers);
  try {
    // in this order everywhere: nobody waits for somebody who waits for him
    for (const name of names.sort()) held.push(holdVolume(paths, name, volumes, autoRemove, image));
    return release;
  } catch (error) {
    release();
    throw error;
  } finally {
    image.close();
  }
}

function holdVolume(
  paths: Paths,
  name: string,
  volumes: readonly Volume[],
  autoRemove: boolean,
  image: ImageView,
): HeldVolume {
  const mine = volumes.filter((one) => one.name === name);
  const anonymous = mine.some((one) => one.anonymous);
  const filled = mine.find(({ noCopy, subpath }) => !noCopy && subpath === undefined);
  return useVolume(new VolumePaths(paths.root), {
    name,
    labels: { ...(anonymous && { [ANONYMOUS]: "" }), ...mine.find(({ labels }) => labels)?.labels },
    durable: !(anonymous && autoRemove),
    ...(filled && { fill: (folder: number) => image.copy(filled.destination, folder) }),
  });
}

/** The files of the image, mounted where something of them is asked for. */
class ImageView {
  private merged: number | undefined;
  constructor(
    private readonly paths: Paths,
    private readonly id: string,
    private readonly layers: readonly string[],
  ) {}

  /** Copies what the image has at a place, and the owner and mode of that folder, into an empty folder. */
  copy(place: string, folder: number): void {
    this.merged ??= openMerged(this.paths, this.id, this.layers);
    const source = openFolderIn(this.merged, place);
    if (source === undefined) return;
    try {
      copyTree(source, folder);
    } finally {
      close(source);
    }
  }

  close(): void {
    if (this.merged !== undefined) close(this.merged);
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
