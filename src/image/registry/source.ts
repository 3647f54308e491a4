import type { Answer } from "./answer.ts";
import { TransportError } from "./errors.ts";
import type { Mirrors, Site } from "./mirrors.ts";
import { type Asked, accepted, pulling } from "./subject.ts";

/** A blob, as a manifest describes it. */
export interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** The bytes of a blob from somewhere on. */
export interface BlobSource {
  /** Of the first byte: what was asked for, or less where the registry knows no ranges. */
  readonly offset: number;
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly site: Site;
  /** Tells that it was of no use: a mirror is asked no more when that happens again. */
  failed(): void;
}

/**
 * Opens a blob at a mirror or the registry, once each; whoever reads it tries again. Throws RegistryError, whose `wait` is
 * what Retry-After says, or TransportError.
 */
export function openSource(
  domain: string,
  mirrors: Mirrors,
  repository: string,
  { digest, size }: Blob,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<BlobSource> {
  return mirrors.first(repository, digest, async (site) => {
    const login = site.endpoint.domain;
    const asked: Asked = { domain, login, repository, verb: "pull", what: "blob", reference: digest };
    let answer = await ask(site, digest, offset, signal);
    if (answer.status === 416 && offset > 0) {
      await answer.discard();
      answer = await ask(site, digest, 0, signal);
    }
    await accepted(answer, asked, 200, 206);
    const part = partOf(answer);
    const wrong = part.start === undefined || part.start > offset || (part.size ?? size) !== size;
    if (wrong || part.start === undefined) {
      await answer.discard();
      const other = `registry ${login} gave something else than was asked for`;
      const told = `${part.size ?? "unknown"} bytes from ${part.start ?? "unknown"} on, not ${size} from ${offset} on`;
      throw new TransportError(`cannot pull blob ${digest}: ${other}: ${told}`, "unreadable");
    }
    return { offset: part.start, pieces: answer.pieces(), site, failed: () => mirrors.failed(site) };
  });
}

/** Where an answer's bytes begin, and how many the whole has, where it says that. */
function partOf(answer: Answer): { readonly start: number | undefined; readonly size: number | undefined } {
  if (answer.status === 200) return { start: 0, size: answer.length };
  const range = /^bytes (\d{1,15})-\d+\/(\d{1,15}|\*)$/.exec(answer.headers.get("content-range") ?? "");
  if (!range) return { start: undefined, size: undefined };
  return { start: Number(range[1]), size: range[2] === "*" ? undefined : Number(range[2]) };
}

function ask(site: Site, digest: string, offset: number, signal: AbortSignal | undefined): Promise<Answer> {
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const path = `/v2/${site.path}/blobs/${digest}`;
  return site.endpoint.call(
    { method: "GET", path, headers, verified: true, signal },
    pulling(site.path),
    true,
  );
}
