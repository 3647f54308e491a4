import { TarOutput } from "./output.ts";

/** What was compressed: digests are `sha256:…`. */
export interface Gzipped {
  /** Of the plain bytes: what the image configuration calls a layer's diff id. */
  readonly diffId: string;
  /** Of the compressed bytes, and how many they are: what a manifest says. */
  readonly digest: string;
  readonly size: number;
}

/** As large as a piece of a tar comes out at most: fewer turns of the event loop. */
const OUTPUT = 256 << 10;

/**
 * Writes all pieces through gzip (RFC 1952) into the descriptor `fd`. Compressing is done in another thread; one piece is
 * under way at a time, so that memory does not grow with the archive. The same pieces give the same bytes: no name, no time
 * is in its header. Throws EngineError and SysError as TarOutput does.
 */
export async function writeGzip(pieces: Iterable<Uint8Array>, fd: number): Promise<Gzipped> {
  const { createGzip } = await import("node:zlib");
  const plain = new Bun.CryptoHasher("sha256");
  const packed = new Bun.CryptoHasher("sha256");
  const output = new TarOutput(fd, packed);
  const gzip = createGzip({ chunkSize: OUTPUT });
  let failure: unknown;
  let fail = (_: unknown): void => {};
  gzip.once("error", (error) => {
    failure = error;
    fail(error);
  });
  /** Waits until `begin` says that it is done, or for a failure at any time. */
  const step = (begin: (done: () => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      fail = reject;
      if (failure === undefined) begin(resolve);
      else reject(failure);
    });
  gzip.on("data", (piece: Uint8Array) => {
    try {
      output.write(piece);
    } catch (error) {
      gzip.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  try {
    for (const piece of pieces) {
      plain.update(piece);
      // a piece is overwritten by the next one: the compressor must be done with it
      await step((done) => gzip.write(piece, (error) => (error ? fail(error) : done())));
    }
    await step((done) => gzip.once("end", done).end());
  } finally {
    gzip.destroy();
  }
  return { diffId: digestOf(plain), digest: digestOf(packed), size: output.size };
}

function digestOf(hash: Bun.CryptoHasher): string {
  return `sha256:${hash.digest("hex")}`;
}
