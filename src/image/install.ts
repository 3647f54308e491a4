import { isDiskFull } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open } from "../linux/file.ts";
import { syncFilesystem } from "../linux/tree.ts";
import { type HeldBlob, putBlob } from "./blob-writer.ts";
import { chainIds, type Descriptor, type ImageDocument, type Manifest } from "./document.ts";
import { type ImageEntry, readIndex, updateIndex } from "./index-file.ts";
import { holdLayer, publishLayer, wantLayer } from "./layer-folder.ts";
import { tagFor } from "./origin.ts";
import { type Progress, SILENT } from "./progress.ts";
import { needBlob } from "./read-blob.ts";
import { Slots } from "./slots.ts";
import { ArchiveError } from "./tar/archive-error.ts";
import { settleLayer } from "./tar/settle.ts";
import { dropTemporary, type Temporary } from "./temporary.ts";
import { contentSize } from "./tree-size.ts";
import { Unpackers } from "./unpackers.ts";

/** Where images are kept, and who must not lose any. */
export interface Store {
  readonly root: string;
  readonly run: string;
  /** The folders of the layers of all containers. */
  readonly inUse: () => ReadonlySet<string>;
}

/** An image as documents, read from outside and checked. */
export interface ImageSource {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly document: ImageDocument;
  readonly documentBytes: Uint8Array;
}

/**
 * Brings the blob of a layer into the store, where it is not there; returns the descriptor that keeps it. `progress` is told,
 * which is nobody where the layer itself is there.
 */
export type Bring = (layer: Descriptor, signal: AbortSignal, progress: Progress) => Promise<number>;

/** For an image of which all blobs are in the store. */
export function bringFrom(root: string): Bring {
  return async ({ digest }) => needBlob(root, digest);
}

/** An image that is whole in the store, but without a name; nothing of it is swept until `release`. */
export interface Installed {
  readonly id: string;
  readonly entry: ImageEntry;
  release(): void;
}

/** Docker's number of downloads at a time. */
const DOWNLOADS = 3;

/**
 * Brings an image into the store: its layers' blobs by `bring`, each unpacked unless it is there. Layers are brought and
 * unpacked side by side, and get their names from the lowest up. Throws EngineError where a layer is refused; what is whole by
 * then stays for who tries again (and is swept some day).
 */
export async function installImage(
  root: string,
  { manifest, manifestBytes, document, documentBytes }: ImageSource,
  bring: Bring,
  progress: Progress,
  outer?: AbortSignal,
): Promise<Installed> {
  const { diff_ids: diffIds } = document.rootfs;
  if (diffIds.length !== manifest.layers.length)
    throw new EngineError(
      `the image is not as it must be: ${manifest.layers.length} layers, but ${diffIds.length} diff_ids`,
    );
  if (diffIds.length === 0) throw new EngineError("the image has no layers: there is nothing to run");
  const work = new Work(root, knownSizes(root), bring, progress, outer);
  try {
    const { names, sizes } = await work.all(manifest.layers, diffIds);
    const config = work.keep(putBlob(root, documentBytes));
    const stored = work.keep(putBlob(root, manifestBytes));
    sync(root);
    const entry: ImageEntry = {
      layers: names.toReversed(),
      sizes: sizes.toReversed(),
      size: sizes.reduce((sum, size) => sum + size, 0),
      created: timeOf(document.created),
      manifest: stored.digest,
    };
    return { id: config.digest, entry, release: () => work.release() };
  } catch (error) {
    work.release();
    throw explained(error);
  }
}

/** A time that a document says, where it is one. */
function timeOf(text: string | undefined): string {
  const time = Date.parse(text ?? "");
  return new Date(Number.isNaN(time) ? 0 : time).toISOString();
}

/** The sizes of the layers that images of the index have. */
function knownSizes(root: string): ReadonlyMap<string, number> {
  const known = new Map<string, number>();
  for (const { layers, sizes = [] } of Object.values(readIndex(root).images))
    for (const [i, layer] of layers.entries()) {
      const size = sizes[i];
      if (size !== undefined) known.set(layer, size);
    }
  return known;
}

/** What was brought must be on disk before the index says so. */
function sync(root: string): void {
  const fd = open(root, O.RDONLY | O.DIRECTORY);
  try {
    syncFilesystem(fd);
  } finally {
    close(fd);
  }
}

/** The layers of one image on their way in, and all descriptors that keep them. */
class Work {
  readonly #held: number[] = [];
  readonly #abort = new AbortController();
  readonly #downloads = new Slots(DOWNLOADS);
  readonly #unpackers = new Unpackers(this.#abort.signal);

  constructor(
    readonly root: string,
    readonly sizes: ReadonlyMap<string, number>,
    readonly bring: Bring,
    readonly progress: Progress,
    readonly outer: AbortSignal | undefined,
  ) {}

  keep(blob: HeldBlob): HeldBlob {
    this.#held.push(blob.fd);
    return blob;
  }

  release(): void {
    for (const fd of this.#held.splice(0)) close(fd);
  }

  /** All layers, from the lowest up. Where one fails the others are stopped, and waited for. */
  async all(
    layers: readonly Descriptor[],
    diffIds: readonly string[],
  ): Promise<{ readonly names: string[]; readonly sizes: number[] }> {
    const names = chainIds(diffIds);
    const stop = (): void => this.#abort.abort(this.outer?.reason);
    this.outer?.addEventListener("abort", stop);
    const done: Promise<Layer>[] = [];
    try {
      this.outer?.throwIfAborted();
      for (const [i, descriptor] of layers.entries()) {
        const wanted = { descriptor, name: names[i] ?? "", diffId: diffIds[i] ?? "" };
        const one = this.#layer(wanted, done[i - 1]);
        // the first that fails stops the others
        one.catch((error: unknown) => this.#abort.abort(error));
        done.push(one);
      }
      const settled = await Promise.allSettled(done);
      if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
      const sizes = settled.map((each) => (each.status === "fulfilled" ? each.value.size : 0));
      return { names, sizes };
    } finally {
      this.#unpackers.end();
      this.outer?.removeEventListener("abort", stop);
    }
  }

  /** One layer, its blob first; `below` is the one it lies on, which need not be done yet. */
  async #layer(wanted: Wanted, below: Promise<Layer> | undefined): Promise<Layer> {
    const { descriptor, name } = wanted;
    const { signal } = this.#abort;
    const present = this.#keepLayer(holdLayer(this.root, name));
    this.progress.layer(descriptor.digest, present === undefined ? "waiting" : "exists");
    const told = present === undefined ? this.progress : SILENT;
    const blob = await this.#downloads.run(() => this.bring(descriptor, signal, told));
    this.#held.push(blob);
    const place = present ?? (await wantLayer(this.root, name, signal));
    if (typeof place !== "number") return await this.#unpack(wanted, blob, place, below);
    if (present === undefined) {
      this.#held.push(place);
      this.progress.layer(descriptor.digest, "done");
    }
    return { fd: place, size: this.sizes.get(name) ?? contentSize(place), below: await below };
  }

  #keepLayer(fd: number | undefined): number | undefined {
    if (fd !== undefined) this.#held.push(fd);
    return fd;
  }

  async #unpack(
    { descriptor, name, diffId }: Wanted,
    blob: number,
    place: Temporary,
    below: Promise<Layer> | undefined,
  ): Promise<Layer> {
    try {
      const result = await this.#unpackers.unpack(blob, place.fd, () =>
        this.progress.layer(descriptor.digest, "extracting"),
      );
      this.#abort.signal.throwIfAborted();
      if (result.diffId !== diffId)
        throw new ArchiveError(
          `its content is ${result.diffId}, but the image's configuration says ${diffId}`,
        );
      const under = await below;
      settleLayer(place.fd, stack(under), result);
      const fd = publishLayer(this.root, place, name);
      this.#held.push(fd);
      this.progress.layer(descriptor.digest, "done");
      return { fd, size: result.size, below: under };
    } catch (error) {
      dropTemporary(place);
      throw error instanceof ArchiveError ? refused(descriptor.digest, error) : error;
    }
  }
}

/** What a layer is to become. */
interface Wanted {
  readonly descriptor: Descriptor;
  readonly name: string;
  readonly diffId: string;
}

/** A layer that is in the store. */
interface Layer {
  readonly fd: number;
  /** Bytes of file content. */
  readonly size: number;
  readonly below: Layer | undefined;
}

/** The descriptors of a layer and those below it, from the top down. */
function stack(top: Layer | undefined): number[] {
  const fds: number[] = [];
  for (let layer = top; layer !== undefined; layer = layer.below) fds.push(layer.fd);
  return fds;
}

function refused(digest: string, error: ArchiveError): EngineError {
  return new EngineError(`cannot unpack layer ${digest.slice(0, 19)}: ${error.message}`, 125, {
    cause: error,
  });
}

function explained(error: unknown): unknown {
  if (isDiskFull(error))
    return new EngineError("cannot store the image: no space left on device", 125, { cause: error });
  return error;
}

/** Names for an image: whole names of tags, and `REPOSITORY@DIGEST`. */
export interface Names {
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

/** Puts an installed image into the index, durable from then on, under names that others lose. */
export function nameImage(
  { root, run }: Pick<Store, "root" | "run">,
  { id, entry }: Installed,
  names: Names,
): void {
  updateIndex(root, run, ({ images, tags, digests }) => {
    images.set(id, entry);
    for (const tag of names.tags) tags.set(tag, tagFor(root, tag, id));
    for (const digest of names.digests) digests.set(digest, id);
  });
}
