/** How long signals may have to wait, in ms: without a turn of the event loop none is seen. */
const PATIENCE = 50;

/** The same pieces, which end with the signal's reason when it is aborted, however fast they come. */
export async function* abortable(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let turned = performance.now();
  for await (const piece of pieces) {
    if (performance.now() - turned > PATIENCE) {
      await new Promise((resolve) => setImmediate(resolve));
      turned = performance.now();
    }
    signal?.throwIfAborted();
    yield piece;
  }
}
