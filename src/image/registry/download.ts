import type { Registry } from "./client.ts";
import { RegistryError, TransportError } from "./errors.ts";
import { delay, passes, pause } from "./retry.ts";
import type { Blob } from "./source.ts";

/** Where the bytes of a blob go. */
export interface Sink {
  /** How many bytes are there already. */
  readonly offset: number;
  /** The next bytes; `piece` is good until it returns. */
  write(piece: Uint8Array): void;
  /** Start over from nothing. */
  reset(): void;
}

/**
 * Brings the rest of a blob into the sink. After a cut or a stall it goes on where that happened (Range); a registry that
 * knows no ranges sends all again, of which the bytes that are there are skipped. Gives up after a few tries in a row that
 * brought nothing new, or where a refusal will not pass. Never writes more than `size` bytes; does not verify the digest.
 * Throws RegistryError or TransportError, what the sink throws, or the reason of an aborted signal.
 */
export async function fetchBlob(
  registry: Registry,
  repository: string,
  blob: Blob,
  sink: Sink,
  options: { readonly signal?: AbortSignal; readonly progress?: (at: number) => void } = {},
): Promise<void> {
  const { timing, signal } = registry.settings;
  const stop = [signal, options.signal].filter((one) => one !== undefined);
  if (sink.offset > blob.size) sink.reset();
  let failed = 0;
  while (sink.offset < blob.size) {
    const before = sink.offset;
    try {
      await readOnce(registry, repository, blob, sink, options);
    } catch (error) {
      if (sink.offset === blob.size) return;
      failed = sink.offset > before ? 1 : failed + 1;
      const asked = error instanceof RegistryError ? error.wait : undefined;
      const wait = mayPass(error) && failed < timing.attempts ? delay(failed, timing, asked) : undefined;
      if (wait === undefined) throw failed > 1 ? told(error, failed) : error;
      await pause(wait, AbortSignal.any(stop));
    }
  }
}

/** One connection: as far as it goes. */
async function readOnce(
  registry: Registry,
  repository: string,
  blob: Blob,
  sink: Sink,
  { signal, progress }: { readonly signal?: AbortSignal; readonly progress?: (at: number) => void },
): Promise<void> {
  const source = await registry.openBlob(repository, blob, sink.offset, signal);
  try {
    let skip = sink.offset - source.offset;
    for await (const piece of source.pieces) {
      const room = blob.size - sink.offset;
      // more than there should be: the digest will tell whether what we have is right
      if (room === 0) return;
      const fresh = piece.subarray(skip, skip + room);
      skip = Math.max(skip - piece.length, 0);
      if (fresh.length === 0) continue;
      sink.write(fresh);
      progress?.(sink.offset);
    }
    if (sink.offset < blob.size) throw new TransportError("the connection was cut", "lost");
  } catch (error) {
    if (!(error instanceof TransportError) || sink.offset === blob.size) throw error;
    source.failed();
    const message = `cannot pull blob ${blob.digest} from registry ${registry.domain}: ${error.message}`;
    throw new TransportError(message, error.trouble, { cause: error });
  }
}

/** Whether it is worth another try. A registry that gave the manifest a moment ago may well be back soon. */
function mayPass(error: unknown): boolean {
  if (error instanceof RegistryError) return passes(error.status);
  return error instanceof TransportError && (error.passes || error.trouble === "refused");
}

function told(error: unknown, tries: number): unknown {
  if (!(error instanceof TransportError)) return error;
  return new TransportError(`${error.message} (${tries} tries)`, error.trouble, { cause: error });
}
