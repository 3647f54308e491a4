import { pread, read } from "../../linux/file.ts";
import { ArchiveError } from "./archive-error.ts";

/** What is read, and handed to the decompressor, at a time. */
const PIECE = 256 << 10;
/** The decompressors' output buffer: each filled one costs a turn of the event loop. */
const OUTPUT = 1 << 20;
/** How far the decompressor may be ahead of the writing of files, on either side of it. */
const AHEAD = 4 << 20;

/** An archive being read: the plain tar in pieces, and the digest of all bytes as they are stored. */
export interface Source {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Hex SHA-256; to be asked when `pieces` has come to its end. */
  digest(): string;
}

/** Reads the file open on `fd`, from its start; whether it is compressed (gzip, zstd) is told by its first bytes. */
export function openSource(fd: number): Source {
  const hash = new Bun.CryptoHasher("sha256");
  const raw = readPieces(fd, hash);
  const start = new Uint8Array(4);
  pread(fd, start, 0);
  const magic = Buffer.from(start.buffer).toString("hex");
  let kind: "gzip" | "zstd" | undefined;
  if (magic.startsWith("1f8b")) kind = "gzip";
  if (magic === "28b52ffd") kind = "zstd";
  return {
    pieces: kind === undefined ? plain(raw) : decompressed(raw, kind),
    digest: () => hash.digest("hex"),
  };
}

/** The hex SHA-256 of the file open on `fd`, from its present position on. */
export function digestOf(fd: number): string {
  const hash = new Bun.CryptoHasher("sha256");
  const buffer = new Uint8Array(PIECE);
  for (let got = read(fd, buffer); got > 0; got = read(fd, buffer)) hash.update(buffer.subarray(0, got));
  return hash.digest("hex");
}

function* readPieces(fd: number, hash: Bun.CryptoHasher): Generator<Uint8Array> {
  for (;;) {
    // a new buffer each time: who gets it keeps parts of it for a while
    const buffer = Buffer.allocUnsafeSlow(PIECE);
    const got = read(fd, buffer);
    if (got === 0) return;
    const piece = buffer.subarray(0, got);
    hash.update(piece);
    yield piece;
  }
}

async function* plain(raw: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const piece of raw) yield piece;
}

/** node:zlib works in a thread of its own, so that decompressing goes on while files are written here. */
async function* decompressed(raw: Generator<Uint8Array>, kind: "gzip" | "zstd"): AsyncGenerator<Uint8Array> {
  const zlib = await import("node:zlib");
  const options = { chunkSize: OUTPUT, highWaterMark: AHEAD };
  const stream = kind === "gzip" ? zlib.createGunzip(options) : zlib.createZstdDecompress(options);
  let over = false;
  const feed = async (): Promise<void> => {
    for (;;) {
      if (over) return;
      const next = raw.next();
      if (next.done === true) break;
      if (!stream.write(next.value)) await settled(stream, "drain");
    }
    stream.end();
  };
  stream.once("end", () => {
    over = true;
  });
  try {
    const fed = feed();
    for await (const piece of stream) yield piece as Uint8Array;
    await fed;
    // what stands behind the compressed data is no part of it, but of the digest
    for (const _ of raw);
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
