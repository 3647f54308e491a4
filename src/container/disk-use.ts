import type { ImageEntry } from "../image/index-file.ts";
import { blobsOf } from "../image/reach.ts";
import { type ListedImage, listImages } from "../image/store.ts";
import { contentSize } from "../image/tree-size.ts";
import { blobSizes, freedBlobs, freedLayers, layerSizes } from "../image/usage.ts";
import { isErrno } from "../linux/errno.ts";
import { close, O, open } from "../linux/file.ts";
import { listVolumes } from "../volume/record.ts";
import { layersInUse } from "./images.ts";
import { isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { listAll, recordIfAny } from "./store.ts";
import { volumeSize } from "./volume-size.ts";
import { volumePaths, volumesInUse } from "./volumes.ts";

/** A row of `system df`; sizes in bytes. */
export interface Use {
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

export interface ImageSize {
  readonly image: ListedImage;
  readonly shared: number;
  readonly unique: number;
  readonly containers: number;
}

export interface ContainerSize {
  readonly record: ContainerRecord;
  readonly state: State;
  readonly size: number;
}

export interface VolumeSize {
  readonly name: string;
  /** How many containers have it. */
  readonly links: number;
  readonly size: number;
}

/** What takes how much room. */
export interface DiskUse {
  readonly images: Use;
  readonly containers: Use;
  readonly volumes: Use;
  /** What is kept as it was brought, to be pushed or saved. */
  readonly blobs: Use;
  readonly eachImage: readonly ImageSize[];
  readonly eachContainer: readonly ContainerSize[];
  readonly eachVolume: readonly VolumeSize[];
}

/** Looks at all images, the own layers of all containers, and all volumes. */
export function diskUse(paths: Paths): DiskUse {
  const containers = listAll(paths).flatMap(({ state }) => sizeOf(paths, state) ?? []);
  const images = listImages(paths.root).filter(({ entry }) => entry !== undefined);
  const counts = new Map<string, number>();
  for (const { record } of containers) counts.set(record.imageId, (counts.get(record.imageId) ?? 0) + 1);
  const used = images.filter(({ id = "" }) => counts.has(id));
  const unused = images.filter((image) => !used.includes(image));
  const stopped = containers.filter(({ state }) => !isUp(state));
  const blobs = blobSizes(paths.root);
  const volumes = volumeSizes(paths);
  return {
    images: {
      total: images.length,
      active: used.length,
      size: sum(layerSizes(entriesOf(images).values()).values()),
      reclaimable: freedLayers(entriesOf(unused).values(), entriesOf(used).values(), layersInUse(paths)),
    },
    containers: {
      total: containers.length,
      active: containers.length - stopped.length,
      size: sum(containers.map(({ size }) => size)),
      reclaimable: sum(stopped.map(({ size }) => size)),
    },
    volumes: {
      total: volumes.length,
      active: volumes.filter(({ links }) => links > 0).length,
      size: sum(volumes.map(({ size }) => size)),
      reclaimable: sum(volumes.filter(({ links }) => links === 0).map(({ size }) => size)),
    },
    blobs: {
      total: blobs.size,
      active: [...blobsOf(paths.root, entriesOf(used))].filter((digest) => blobs.has(digest)).length,
      size: sum(blobs.values()),
      reclaimable: freedBlobs(paths.root, entriesOf(used)),
    },
    eachImage: images.map((image) => {
      const others = entriesOf(images.filter((other) => other !== image));
      const unique = freedLayers(entriesOf([image]).values(), others.values(), new Set());
      return {
        image,
        unique,
        shared: (image.size ?? 0) - unique,
        containers: counts.get(image.id ?? "") ?? 0,
      };
    }),
    eachContainer: containers,
    eachVolume: volumes,
  };
}

function volumeSizes(paths: Paths): VolumeSize[] {
  const used = volumesInUse(paths);
  return listVolumes(volumePaths(paths)).map(({ name }) => ({
    name,
    links: used.get(name)?.length ?? 0,
    size: volumeSize(paths, name),
  }));
}

function entriesOf(images: readonly ListedImage[]): Map<string, ImageEntry> {
  return new Map(images.flatMap(({ id, entry }) => (id !== undefined && entry ? [[id, entry]] : [])));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** The bytes in a container's own layer; undefined where it is removed meanwhile. */
export function sizeOf(paths: Paths, state: State): ContainerSize | undefined {
  const record = recordIfAny(paths, state.id);
  if (record === undefined) return undefined;
  let upper: number;
  try {
    upper = open(paths.upper(state.id), O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    return { record, state, size: contentSize(upper) };
  } finally {
    close(upper);
  }
}
