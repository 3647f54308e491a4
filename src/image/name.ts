/** Also the name of a file in image/ and of a lock, so it leaves room for what stands around it (NAME_MAX is 255). */
const GRAMMAR = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,159}(:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,39})?$/;
const LIBRARY = "docker.io/library/";
const LATEST = ":latest";

/**
 * The plain name, `NAME` or `NAME:TAG`, under which an archive in image/ would be the image of that whole name; undefined
 * where there can be none (other registries, digests).
 */
export function archiveName(full: string): string | undefined {
  if (!full.startsWith(LIBRARY)) return undefined;
  const end = full.endsWith(LATEST) ? full.length - LATEST.length : full.length;
  const name = full.slice(LIBRARY.length, end);
  return name.includes("/") || name.includes("@") ? undefined : name;
}

/** Whether an archive of that plain name in image/ counts as an image. Upper-case letters may be in it, as ever. */
export function isArchiveName(name: string): boolean {
  return GRAMMAR.test(name) && !name.endsWith(LATEST);
}

/** The whole name of the image that an archive of that plain name is. */
export function fullNameOfArchive(name: string): string {
  return LIBRARY + name + (name.includes(":") ? "" : LATEST);
}

/** Where the user puts the archive of an image. */
export function archivePath(root: string, name: string): string {
  return `${root}/image/${name}.tar`;
}

/** The folder that holds the unpacked layers. */
export function layersPath(root: string): string {
  return `${root}/layers`;
}
