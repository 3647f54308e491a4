import { pread, read } from "../../linux/file.ts";
import { ArchiveError } from "./archive-error.ts";
import { ZstdFrames } from "./zstd-frames.ts";

/** What is read, and handed to the decompressor, at a time. */
const PIECE = 128 << 10;
/** The decompressors' output buffer: each filled one costs a turn of the event loop. */
const OUTPUT = 128 << 10;
/** How far the decompressor may be ahead of the writing of files, on either side of it. */
const AHEAD = 512 << 10;

/** An archive being read. Both digests are hex SHA-256, to be asked when `pieces` has come to its end. */
export interface Source {
  /** The plain tar. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Of all bytes as they are stored. */
  digest(): string;
  /** Of the plain tar, with what may follow its end: a layer's diff id. */
  diffId(): string;
}

/** Where an archive lies within a larger file, in bytes. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/**
 * Reads the file open on `fd`, or a range of it; whether it is compressed (gzip, RFC 1952, or zstd, RFC 8878, with any
 * number of members or frames) is told by its first bytes. Reading `pieces` throws ArchiveError where it is cut short or
 * damaged, and for compressions that are not supported. Only the digests that are asked for are made: they take a third of
 * the time that unpacking does.
 */
export function openSource(fd: number, range: Range = WHOLE, digests: Digests = "both"): Source {
  const pieces = readPieces(fd, range);
  const first = pieces.next();
  return sourceOf(first.done === true ? undefined : first.value, pieces, digests);
}

/** Which digests of a source are to be made; asking for another one is an error of the program. */
export type Digests = "both" | "diff-id" | "none";

/**
 * The same for what can only be read once, from where it is, such as a pipe. The signal ends the wait for
 * more with its reason. No digests are made.
 */
export async function openStream(fd: number, signal: AbortSignal | undefined): Promise<Source> {
  const { createReadStream } = await import("node:fs");
  const stream = createReadStream("", { fd, highWaterMark: PIECE, autoClose: false });
  const read: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  // a read that has begun cannot be called off
  const pieces = { next: () => unlessAborted(read.next(), signal) };
  let start: Uint8Array | undefined;
  while (start === undefined || start.length < MAGIC_LENGTH) {
    const next = await pieces.next();
    if (next.done === true) break;
    start = start === undefined ? next.value : Buffer.concat([start, next.value]);
  }
  return sourceOf(start, pieces, "none");
}

/** What comes of the work, or the reason of a signal that is aborted before. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal?.removeEventListener("abort", stop));
  });
}

/** An archive of that first piece and those that come then. */
function sourceOf(
  first: Uint8Array | undefined,
  rest: Iterator<Uint8Array> | AsyncIterator<Uint8Array>,
  digests: Digests,
): Source {
  const kind = compressionOf(first);
  const stored = new Digest(digests === "both" || (digests === "diff-id" && kind === "plain"));
  const raw = (async function* (): AsyncGenerator<Uint8Array> {
    if (first === undefined) return;
    stored.update(first);
    yield first;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      stored.update(next.value);
      yield next.value;
    }
  })();
  if (kind === "plain") return { pieces: raw, digest: () => stored.hex(), diffId: () => stored.hex() };
  const content = new Digest(digests !== "none");
  return {
    pieces: hashed(decompressed(raw, kind), content),
    digest: () => stored.hex(),
    diffId: () => content.hex(),
  };
}

const WHOLE: Range = { start: 0, length: Number.POSITIVE_INFINITY };

type Compression = "plain" | "gzip" | "zstd";

/** The first bytes of each format, in hex; bzip2's go on with pi, or with its square root where nothing follows. */
const MAGIC: readonly (readonly [RegExp, string])[] = [
  [/^1f8b/, "gzip"],
  [/^28b52ffd/, "zstd"],
  [/^5.2a4d18/, "zstd"],
  [/^425a683[1-9](314159265359|177245385090)/, "bzip2"],
  [/^fd377a585a00/, "xz"],
];
const MAGIC_LENGTH = 10;

function compressionOf(start: Uint8Array | undefined): Compression {
  const hex = Buffer.from(start?.subarray(0, MAGIC_LENGTH) ?? []).toString("hex");
  const name = MAGIC.find(([pattern]) => pattern.test(hex))?.[1] ?? "plain";
  if (name === "bzip2" || name === "xz")
    throw new ArchiveError(`it is compressed with ${name}, which is not supported: use gzip or zstd`);
  return name as Compression;
}

/** A SHA-256 that can be asked for more than once. */
class Digest {
  readonly #hash: Bun.CryptoHasher | undefined;
  #hex: string | undefined;

  constructor(isWanted: boolean) {
    if (isWanted) this.#hash = new Bun.CryptoHasher("sha256");
  }

  update(piece: Uint8Array): void {
    this.#hash?.update(piece);
  }

  hex(): string {
    if (this.#hash === undefined) throw new Error("a digest that was not asked for is not made");
    this.#hex ??= this.#hash.digest("hex");
    return this.#hex;
  }
}

/** The hex SHA-256 of the file open on `fd`, from its present position on. */
export function digestOf(fd: number): string {
  const hash = new Bun.CryptoHasher("sha256");
  const buffer = new Uint8Array(PIECE);
  for (let got = read(fd, buffer); got > 0; got = read(fd, buffer)) hash.update(buffer.subarray(0, got));
  return hash.digest("hex");
}

function* readPieces(fd: number, range: Range): Generator<Uint8Array> {
  for (let done = 0; done < range.length; ) {
    // a new buffer each time: who gets it keeps parts of it for a while
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, range.length - done));
    const got = pread(fd, buffer, range.start + done);
    if (got === 0 && range === WHOLE) return;
    if (got === 0) throw new ArchiveError("it is cut short: the file that it lies in ends before it does");
    done += got;
    yield buffer.subarray(0, got);
  }
}

async function* hashed(pieces: AsyncIterable<Uint8Array>, hash: Digest): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
}

/** node:zlib works in a thread of its own, so that decompressing goes on while files are written here. */
async function* decompressed(
  raw: AsyncGenerator<Uint8Array>,
  kind: "gzip" | "zstd",
): AsyncGenerator<Uint8Array> {
  const zlib = await import("node:zlib");
  const options = { chunkSize: OUTPUT, highWaterMark: AHEAD };
  const stream = kind === "gzip" ? zlib.createGunzip(options) : zlib.createZstdDecompress(options);
  const frames = kind === "zstd" ? new ZstdFrames() : undefined;
  let over = false;
  const feed = async (): Promise<void> => {
    for (;;) {
      const next = await raw.next();
      if (over) return;
      if (next.done === true) break;
      frames?.push(next.value);
      if (!stream.write(next.value)) await settled(stream, "drain");
    }
    frames?.end();
    stream.end();
  };
  stream.once("end", () => {
    over = true;
  });
  try {
    const fed = feed().catch((error: unknown) => stream.destroy(error as Error));
    for await (const piece of stream) yield piece as Uint8Array;
    await fed;
    // zeros may stand behind gzip's data: they are no part of it, but of the digest
    for await (const _ of raw);
  } catch (error) {
    throw explained(error, kind);
  } finally {
    over = true;
    stream.destroy();
  }
}

function settled(stream: NodeJS.EventEmitter, event: string): Promise<void> {
  const events = [event, "end", "close", "error"];
  return new Promise((resolve) => {
    const done = (): void => {
      for (const each of events) stream.off(each, done);
      resolve();
    };
    for (const each of events) stream.on(each, done);
  });
}

function explained(error: unknown, kind: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "Z_BUF_ERROR" || code === "ZSTD_error_srcSize_wrong")
    return new ArchiveError(`it is cut short: its ${kind} data does not come to an end`, { cause: error });
  if (!/^(Z_|ZSTD_|ERR_)/.test(code)) return error;
  return new ArchiveError(`its ${kind} data is damaged`, { cause: error });
}
