import { EngineError } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { newBlob } from "./blob-writer.ts";
import { applyChanges } from "./changes.ts";
import { composeImage, unpackLowest } from "./compose.ts";
import { nameImage, type Store } from "./install.ts";
import type { Platform } from "./platform.ts";
import { ArchiveError } from "./tar/archive-error.ts";
import { sweepOnceABoot } from "./upkeep.ts";

export interface ImportOptions {
  /** A whole name, or none. */
  readonly tag: string | undefined;
  readonly changes: readonly string[];
  readonly message: string | undefined;
  readonly platform: Platform | undefined;
  /** Where it came from, for the history. */
  readonly origin: string;
}

/**
 * `import`: the archive of a root file system (plain, gzip or zstd), given as pieces, as an image of one layer. Returns its
 * id. Throws EngineError where the archive is refused.
 */
export async function importImage(
  store: Store,
  pieces: AsyncIterable<Uint8Array>,
  { tag, changes, message, platform, origin }: ImportOptions,
): Promise<string> {
  const config = applyChanges({}, changes);
  sweepOnceABoot(store);
  const writer = newBlob(store.root);
  const held: number[] = [];
  try {
    for await (const piece of pieces) writer.write(piece);
    const blob = writer.finish();
    held.push(blob.fd);
    const { diffId, fd } = await unpackLowest(store.root, store.run, blob.fd);
    held.push(fd);
    const created = new Date().toISOString();
    const installed = await composeImage(store.root, {
      base: undefined,
      layer: blob,
      diffId,
      config,
      created,
      author: undefined,
      history: { created, comment: message ?? `Imported from ${origin}` },
      ...(platform && { platform }),
    });
    try {
      nameImage(store, installed, { tags: tag === undefined ? [] : [tag], digests: [] });
      return installed.id;
    } finally {
      installed.release();
    }
  } catch (error) {
    if (held.length === 0) writer.abandon();
    if (error instanceof ArchiveError)
      throw new EngineError(`cannot import ${origin}: ${error.message}`, 125, { cause: error });
    throw error;
  } finally {
    for (const fd of held) close(fd);
  }
}
