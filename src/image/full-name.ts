/** What is done with names on the way of every `run`, without a look whether they are right: see reference.ts for that. */
export const HUB = "docker.io";

/** Docker's rule: what stands before the first slash is a registry if it has a dot, a port or an upper-case letter, or is localhost. */
export function splitName(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain = /[.:A-Z]/.test(first) || first === "localhost";
  const domain = isDomain ? first : HUB;
  const rest = isDomain ? name.slice(slash + 1) : name;
  if (domain !== HUB && domain !== "index.docker.io") return { domain, path: rest };
  return { domain: HUB, path: rest.includes("/") ? rest : `library/${rest}` };
}

/**
 * The same as `canonical(parseReference(text))` (see reference.ts) where `text` is a reference, and something that is none where it is not:
 * good for a look-up among names that were checked when they were put there, at a tenth of the cost.
 */
export function fullName(text: string): string {
  const at = text.indexOf("@");
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const { domain, path } = splitName(hasTag ? named.slice(0, colon) : named);
  if (at >= 0) return `${domain}/${path}${text.slice(at)}`;
  return `${domain}/${path}${hasTag ? named.slice(colon) : ":latest"}`;
}

/** A whole name's repository and its tag, or its digest. */
export function splitFull(full: string): { repository: string; tag?: string; digest?: string } {
  const at = full.indexOf("@");
  if (at >= 0) return { repository: full.slice(0, at), digest: full.slice(at + 1) };
  const colon = full.lastIndexOf(":");
  return { repository: full.slice(0, colon), tag: full.slice(colon + 1) };
}

/** The first twelve digits of an id, or a digest. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(":") + 1).slice(0, 12);
}

/** A whole name as people write it, without what goes without saying: `busybox:latest`, `ghcr.io/a/b@sha256:…`. */
export function familiar(name: string): string {
  if (name.startsWith(`${HUB}/library/`)) return name.slice(HUB.length + "/library/".length);
  return name.startsWith(`${HUB}/`) ? name.slice(HUB.length + 1) : name;
}
