import { readTextIfAny, writeFileAtomic } from "../linux/file.ts";
import type { ImageConfig } from "./image.ts";
import { holdExclusive } from "./locks.ts";

/** What ROOT/images.json knows of one image. */
export interface IndexEntry {
  readonly id: string;
  /** Names of folders in ROOT/layers, top first. */
  readonly layers: readonly string[];
  readonly size: number;
  readonly created: string;
  /** Which archive this was unpacked from: see `sourceOf`. */
  readonly source: string;
  readonly config: ImageConfig;
}

export type Index = Readonly<Record<string, IndexEntry>>;

interface IndexFile {
  readonly version: 1;
  readonly images: Index;
}

function indexPath(root: string): string {
  return `${root}/images.json`;
}

/**
 * The index, which only this program writes; empty where there is none. It can be made again from the archives, so a
 * damaged one counts as empty too.
 */
export function readIndex(root: string): Index {
  const text = readTextIfAny(indexPath(root));
  if (text === undefined) return {};
  try {
    const file: unknown = JSON.parse(text);
    return isIndexFile(file) ? file.images : {};
  } catch {
    return {};
  }
}

function isIndexFile(value: unknown): value is IndexFile {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === 1 &&
    "images" in value &&
    typeof value.images === "object" &&
    value.images !== null
  );
}

/** The entry of one image. An image may be called `constructor`: only what the index itself holds counts. */
export function entryOf(index: Index, name: string): IndexEntry | undefined {
  return Object.hasOwn(index, name) ? index[name] : undefined;
}

/** Changes one entry, or takes it out (undefined); durable, and safe beside other processes. */
export function updateIndex(root: string, run: string, name: string, entry: IndexEntry | undefined): void {
  const release = holdExclusive(run, "images-index");
  try {
    const images = new Map(Object.entries(readIndex(root)));
    if (entry === undefined) images.delete(name);
    else images.set(name, entry);
    const file: IndexFile = { version: 1, images: Object.fromEntries(images) };
    writeFileAtomic(`${indexPath(root)}`, `${JSON.stringify(file)}\n`, true);
  } finally {
    release();
  }
}
