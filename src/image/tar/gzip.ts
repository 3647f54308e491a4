/** Where bytes go; a piece may be overwritten when `write` returns. */
export interface ByteSink {
  write(piece: Uint8Array): void;
}

/** As large as a piece of a tar comes out at most: fewer turns of the event loop. */
const OUTPUT = 256 << 10;

/**
 * Writes all pieces through gzip (RFC 1952) into the sink. Compressing is done in another thread; one piece is
 * under way at a time, so that memory does not grow with the archive. The same pieces give the same bytes: no name, no time
 * is in its header. Throws what the sink throws.
 */
export async function writeGzip(pieces: Iterable<Uint8Array>, sink: ByteSink): Promise<void> {
  const { createGzip } = await import("node:zlib");
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
      sink.write(piece);
    } catch (error) {
      gzip.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  try {
    for (const piece of pieces) {
      // a piece is overwritten by the next one: the compressor must be done with it
      await step((done) => gzip.write(piece, (error) => (error ? fail(error) : done())));
    }
    await step((done) => gzip.once("end", done).end());
  } finally {
    gzip.destroy();
  }
}
