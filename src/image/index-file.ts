import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, pread, readTextIfAny, seekEnd, writeFileAtomic } from "../linux/file.ts";
import type { ImageConfig } from "./image.ts";
import { holdExclusive } from "./locks.ts";

/** What ROOT/images.json knows of one image; its key is its id. */
export interface ImageEntry {
  /** Names of folders in ROOT/layers, top first. */
  readonly layers: readonly string[];
  /** Bytes of file content of each of them. */
  readonly sizes?: readonly number[];
  /** The sum of these. */
  readonly size: number;
  /** RFC 3339. */
  readonly created: string;
  /** The digest of its manifest, a blob; of an image from an archive in image/ there is none. */
  readonly manifest?: string;
  /** Of an image from an archive in image/; that of others is the blob of their id. */
  readonly config?: ImageConfig;
}

/** What a name stands for. */
export interface Tag {
  readonly id: string;
  /** The state of the archive in image/ (see `sourceOf`), or the embedded one, that it was unpacked from. */
  readonly from?: string;
  /** The state of the archive of that name when the name was given to something else, which has it since. */
  readonly over?: string;
}

/** Images by id; by their whole names the tags, and by `REPOSITORY@DIGEST` of what was pulled the ids. */
export interface Index {
  readonly images: Readonly<Record<string, ImageEntry>>;
  readonly tags: Readonly<Record<string, Tag>>;
  readonly digests: Readonly<Record<string, string>>;
}

/** The index while it is changed. */
export interface OpenIndex {
  readonly images: Map<string, ImageEntry>;
  readonly tags: Map<string, Tag>;
  readonly digests: Map<string, string>;
}

const VERSION = 2;
const EMPTY: Index = { images: {}, tags: {}, digests: {} };

function indexPath(root: string): string {
  return `${root}/images.json`;
}

/**
 * The index, which only this program writes; empty where there is none, or one of a version that knew only archives. Throws
 * EngineError where it is damaged, or of a later version: to go on without it would be to remove all images at the next sweep.
 */
export function readIndex(root: string): Index {
  const text = readWhole(indexPath(root));
  if (text === undefined) return EMPTY;
  const file = parsed(text);
  if (isIndex(file)) return file;
  const version = Number((file as { readonly version?: unknown } | null | undefined)?.version);
  if (version < VERSION) return EMPTY;
  throw new EngineError(
    version > VERSION
      ? `${indexPath(root)}, the list of images, is of a later version of this program: use that`
      : `${indexPath(root)}, the list of images, is damaged: put it back as it was, or remove it, and all images with it`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** It is hundreds of kB long where there are hundreds of images, and never changes in place: no more memory than that is touched. */
function readWhole(path: string): string | undefined {
  let fd: number;
  try {
    fd = open(path, O.RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  try {
    const buffer = new Uint8Array(seekEnd(fd));
    return new TextDecoder().decode(buffer.subarray(0, pread(fd, buffer, 0)));
  } finally {
    close(fd);
  }
}

function isIndex(value: unknown): value is Index {
  if (typeof value !== "object" || value === null) return false;
  const file = value as Readonly<Record<string, unknown>>;
  const isMap = (field: unknown): boolean => typeof field === "object" && field !== null;
  return file.version === VERSION && isMap(file.images) && isMap(file.tags) && isMap(file.digests);
}

/** What a map of the index holds under that key. A name may be `constructor`: only what is its own counts. */
export function own<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** The index, to be changed. */
export function openIndex({ images, tags, digests }: Index): OpenIndex {
  return {
    images: new Map(Object.entries(images)),
    tags: new Map(Object.entries(tags)),
    digests: new Map(Object.entries(digests)),
  };
}

/**
 * Writes the index, where it is not what is there; durable. For who holds `images-index`. An image from an archive goes with
 * its last name, as it could only be had again by that.
 */
export function writeIndex(root: string, { images, tags, digests }: OpenIndex): void {
  const named = new Set([...tags.values()].map(({ id }) => id));
  for (const [id, entry] of images) if (entry.manifest === undefined && !named.has(id)) images.delete(id);
  const file = {
    version: VERSION,
    images: Object.fromEntries(images),
    tags: Object.fromEntries(tags),
    digests: Object.fromEntries(digests),
  };
  const text = `${JSON.stringify(file)}\n`;
  if (readTextIfAny(indexPath(root)) !== text) writeFileAtomic(indexPath(root), text, true);
}

/** Changes the index; durable, and safe beside other processes: `change` sees what is there now. */
export function updateIndex<T>(root: string, run: string, change: (index: OpenIndex) => T): T {
  const release = holdExclusive(run, "images-index");
  try {
    const index = openIndex(readIndex(root));
    const result = change(index);
    writeIndex(root, index);
    return result;
  } finally {
    release();
  }
}
