import { EngineError } from "../linux/errors.ts";
import { splitName } from "./full-name.ts";

/** What a reference names, made whole: `busybox` is library/busybox of docker.io with the tag latest. */
export interface Reference {
  /** The registry's host, with a port where it has one: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** The repository within the registry: `library/busybox`. */
  readonly path: string;
  /** Missing only where there is a digest. */
  readonly tag?: string;
  /** `sha256:…`, of a manifest. */
  readonly digest?: string;
}

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Docker's limit of a repository's whole name, domain included. */
const LONGEST = 255;

/** Whether a text is a digest that this program verifies: sha256 only. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/**
 * A reference as the user typed it, `[DOMAIN/]PATH[:TAG][@DIGEST]` (github.com/distribution/reference, "Grammar"; its
 * normalisation is Docker's). Throws EngineError "invalid reference format" that says what is wrong with it.
 */
export function parseReference(text: string): Reference {
  const fail = (why: string): EngineError =>
    new EngineError(`cannot use image ${JSON.stringify(text)}: invalid reference format${why}`);
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw fail(": a digest is sha256: and 64 digits of 0-9a-f");
  const named = at < 0 ? text : text.slice(0, at);
  // a colon after the last slash begins a tag; one before it belongs to the port
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const { domain, path } = splitName(hasTag ? named.slice(0, colon) : named);
  if (/^[0-9a-f]{64}$/.test(named)) throw fail(": it is an id, not a name");
  if (!PATH.test(path) && PATH.test(path.toLowerCase())) throw fail(": repository name must be lowercase");
  if (!DOMAIN.test(domain) || !PATH.test(path) || domain.length + 1 + path.length > LONGEST) throw fail("");
  if (tag !== undefined && !TAG.test(tag)) throw fail("");
  if (digest === undefined) return { domain, path, tag: tag ?? "latest" };
  return { domain, path, ...(tag !== undefined && { tag }), digest };
}

/** The whole name of the repository: `docker.io/library/busybox`. */
export function repositoryOf({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}

/** The reference in full, by its digest where it has one: `docker.io/library/busybox:latest`. */
export function canonical(reference: Reference): string {
  const { tag, digest } = reference;
  return repositoryOf(reference) + (digest === undefined ? `:${tag}` : `@${digest}`);
}
