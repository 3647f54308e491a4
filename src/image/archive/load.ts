import { EngineError, undone } from "../../linux/errors.ts";
import { close } from "../../linux/file.ts";
import { isDirectory, statIfAny } from "../../linux/stat.ts";
import { makeBlobFolders, sizeOf } from "../blob-writer.ts";
import { compileFor } from "../compiled.ts";
import { own, readIndex } from "../index-file.ts";
import { installImage, nameImage, type Store } from "../install.ts";
import { hostPlatform, type Platform } from "../platform.ts";
import type { Progress } from "../progress.ts";
import { changeAndSweep } from "../remove.ts";
import { sweepOnceABoot } from "../upkeep.ts";
import type { ArchiveFiles } from "./files.ts";
import { openLayoutFolder } from "./layout-folder.ts";
import { type ArchivedImage, readArchive } from "./read.ts";
import { spoolArchive } from "./spool.ts";

/** An image that was loaded. */
export interface Loaded {
  readonly id: string;
  /** Whole names. */
  readonly tags: readonly string[];
  /** Names that another image had until now, with its id. */
  readonly taken: readonly { readonly tag: string; readonly id: string }[];
}

export interface LoadOptions {
  readonly platform?: Platform;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** Told of each image when it is in the store. */
  readonly loaded: (image: Loaded) => void;
}

/**
 * `load`: the images of an archive, read from a descriptor (a file or a pipe; compressed or not), or of a layout in a folder of
 * that path. Throws EngineError where it is none, or an image of it is refused; images before that one stay.
 */
export async function loadImages(store: Store, from: number | string, options: LoadOptions): Promise<void> {
  compileFor();
  sweepOnceABoot(store);
  makeBlobFolders(store.root);
  // of an archive that was refused, or of which only a part could be stored, too
  const sweep = (): unknown => changeAndSweep(store.root, store.run, store.inUse, () => {});
  try {
    await loadAll(store, from, options);
  } catch (error) {
    throw undone(error, sweep);
  }
  // what of the archive is of no use
  sweep();
}

async function loadAll(store: Store, from: number | string, options: LoadOptions): Promise<void> {
  const files = await openFiles(store, from, options.signal);
  try {
    for (const image of readArchive(files, options.platform ?? hostPlatform()))
      options.loaded(await loadOne(store, files, image, options));
  } finally {
    files.close();
  }
}

async function openFiles(
  store: Store,
  from: number | string,
  signal: AbortSignal | undefined,
): Promise<ArchiveFiles> {
  if (typeof from === "number") return await spoolArchive(store.root, from, signal);
  const stat = statIfAny(from);
  if (stat === undefined || !isDirectory(stat)) throw new EngineError(`cannot load ${from}: it is no folder`);
  return openLayoutFolder(store.root, from);
}

async function loadOne(
  store: Store,
  files: ArchiveFiles,
  { source, tags, fileOf }: ArchivedImage,
  { progress, signal }: LoadOptions,
): Promise<Loaded> {
  const installed = await installImage(
    store.root,
    source,
    (layer) => {
      const blob = files.bring(fileOf(layer));
      const size = sizeOf(blob.fd);
      if (blob.digest === layer.digest && size === layer.size) return Promise.resolve(blob.fd);
      close(blob.fd);
      const found =
        blob.digest === layer.digest ? `${size} bytes, not ${layer.size}` : `the digest ${blob.digest}`;
      throw new EngineError(`the archive is damaged: layer ${layer.digest} has ${found}`);
    },
    progress,
    signal,
  );
  try {
    const before = readIndex(store.root).tags;
    const taken = tags.flatMap((tag) => {
      const id = own(before, tag)?.id;
      return id === undefined || id === installed.id ? [] : [{ tag, id }];
    });
    nameImage(store, installed, { tags, digests: [] });
    return { id: installed.id, tags, taken };
  } finally {
    installed.release();
  }
}
