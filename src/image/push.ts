import { close, pread } from "../linux/file.ts";
import { type HeldBlob, newBlob } from "./blob-writer.ts";
import { type Descriptor, MEDIA } from "./document.ts";
import { splitFull } from "./full-name.ts";
import { readIndex, updateIndex } from "./index-file.ts";
import type { Store } from "./install.ts";
import { describeLayer, isPlain, makeManifest } from "./make-manifest.ts";
import type { Progress } from "./progress.ts";
import { needBlob } from "./read-blob.ts";
import { type Reference, repositoryOf } from "./reference.ts";
import { openRegistry, type Registry } from "./registry/client.ts";
import { Slots } from "./slots.ts";
import { openStored } from "./stored.ts";
import { writeGzip } from "./tar/gzip.ts";

export interface PushOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** Docker's number of uploads at a time. */
const UPLOADS = 5;
/** From how many repositories of the registry a layer is tried to be mounted. */
const MOST_SOURCES = 4;

/**
 * Pushes the image of that tag to its registry (OCI distribution-spec, "Push"): layers first, those that are there or can be
 * mounted from another repository of it not again, the manifest last. Layers that are stored without compression are sent
 * with it. Returns the manifest's digest. Throws EngineError where the registry refuses.
 */
export async function pushImage(
  { root, run }: Pick<Store, "root" | "run">,
  reference: Reference,
  tag: string,
  { progress, signal }: PushOptions,
): Promise<string> {
  const image = await openStored(root, `${repositoryOf(reference)}:${tag}`);
  const held: number[] = [];
  try {
    const registry = await openRegistry(reference.domain, signal === undefined ? {} : { signal });
    const push = new Push(root, registry, reference.path, sourcesOf(root, reference), progress);
    const { manifest, documentBytes } = image.source;
    for (const { digest } of manifest.layers) progress.layer(digest, "waiting");
    const layers = await push.layers(manifest.layers, held);
    await push.blob(manifest.config);
    const { manifest: sent, manifestBytes } = layers.some((layer, i) => layer !== manifest.layers[i])
      ? makeManifest(documentBytes, layers, manifest.mediaType === MEDIA.ociManifest)
      : image.source;
    const digest = await registry.putManifest(reference.path, tag, sent.mediaType, manifestBytes);
    // one that was made only to be sent is not in the index
    updateIndex(root, run, ({ images, digests }) => {
      if (images.has(image.id)) digests.set(`${repositoryOf(reference)}@${digest}`, image.id);
    });
    progress.line(`${tag}: digest: ${digest} size: ${manifestBytes.length}`);
    return digest;
  } finally {
    image.release();
    for (const fd of held) close(fd);
  }
}

/** Other repositories of the same registry that this store knows images of: they may have the layers. */
function sourcesOf(root: string, { domain, path }: Reference): string[] {
  const { digests } = readIndex(root);
  const paths = Object.keys(digests)
    .map((name) => splitFull(name).repository)
    .filter((name) => name.startsWith(`${domain}/`))
    .map((name) => name.slice(domain.length + 1));
  return [...new Set(paths)].filter((other) => other !== path).slice(0, MOST_SOURCES);
}

class Push {
  constructor(
    readonly root: string,
    readonly registry: Registry,
    readonly repository: string,
    readonly sources: readonly string[],
    readonly progress: Progress,
  ) {}

  /** All layers, side by side; as they are named in the manifest that is to be sent. */
  async layers(layers: readonly Descriptor[], held: number[]): Promise<Descriptor[]> {
    const slots = new Slots(UPLOADS);
    const work = layers.map((layer) =>
      slots.run(async () => {
        const sent = isPlain(layer) ? await this.#compress(layer, held) : layer;
        await this.blob(sent, layer.digest);
        return sent;
      }),
    );
    const settled = await Promise.allSettled(work);
    const failed = settled.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return await Promise.all(work);
  }

  /** One blob of the store; with `shown`, its progress is told under that digest. */
  async blob({ digest, size }: Descriptor, shown?: string): Promise<void> {
    const fd = needBlob(this.root, digest);
    try {
      const tell =
        shown === undefined
          ? undefined
          : (at: number): void => this.progress.layer(shown, "pushing", at, size);
      const open = (offset: number): AsyncIterable<Uint8Array> => pieces(fd, offset);
      const done = await this.registry.uploadBlob(
        this.repository,
        { digest, size, open },
        this.sources,
        tell,
      );
      const state = ({ exists: "exists", mounted: "mounted", uploaded: "pushed" } as const)[done];
      if (shown !== undefined) this.progress.layer(shown, state);
    } finally {
      close(fd);
    }
  }

  async #compress(layer: Descriptor, held: number[]): Promise<Descriptor> {
    const { digest } = layer;
    const fd = needBlob(this.root, digest);
    try {
      // whoever made the image may have called plain what is not
      if (!isPlain(describeLayer({ digest, fd }))) return layer;
      const blob = await compressed(this.root, fd);
      held.push(blob.fd);
      return describeLayer(blob);
    } finally {
      close(fd);
    }
  }
}

const PIECE = 1 << 20;

/** The bytes of a blob from `offset` on. A new buffer each time: who sends them may keep them for a while. */
async function* pieces(fd: number, offset: number): AsyncGenerator<Uint8Array> {
  yield* plainPieces(fd, offset);
}

function* plainPieces(fd: number, offset: number): Generator<Uint8Array> {
  for (let at = offset; ; ) {
    const buffer = new Uint8Array(PIECE);
    const got = pread(fd, buffer, at);
    if (got === 0) return;
    yield buffer.subarray(0, got);
    at += got;
  }
}

/** A plain layer compressed as another blob of the store. */
async function compressed(root: string, fd: number): Promise<HeldBlob> {
  const writer = newBlob(root);
  try {
    await writeGzip(plainPieces(fd, 0), writer);
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
