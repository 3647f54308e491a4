import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { chown, close, mkdir, O, openAt, openIn, RESOLVE, readlink } from "../linux/file.ts";

/** A root that is being built. */
export interface Root {
  /** Open as a path. */
  readonly fd: number;
  /** The container's root user and group on the host, whose is what is made in it. */
  readonly owner: number;
}

/** Gives what was just made to the container's root. */
export function give({ owner }: Root, folder: number, name: string): void {
  if (owner !== 0) chown(name, owner, owner, folder);
}

/** Runs `use` with the path open inside the root; nothing where there is no such path. */
export function ifThere(root: Root, path: string, use: (fd: number) => void): void {
  let fd: number;
  try {
    fd = openIn(root.fd, path, O.PATH);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return;
    throw error;
  }
  try {
    use(fd);
  } finally {
    close(fd);
  }
}

/** Runs `use` with a mount point open inside the root, which is made where it is missing. */
export function at(root: Root, path: string, kind: "folder" | "file", use: (fd: number) => void): void {
  const fd = openOrMake(root, path, kind);
  try {
    use(fd);
  } finally {
    close(fd);
  }
}

/** The same for a folder. */
export function atFolder(root: Root, path: string, use: (fd: number) => void): void {
  at(root, path, "folder", use);
}

/**
 * The same for /proc and /sys, where no link may lead: what is masked and read-only in them is looked for at the same path later,
 * when the link may lead elsewhere, as another mount hides its target (CVE-2019-19921, CVE-2023-27561).
 */
export function atPlain(root: Root, path: string, use: (fd: number) => void): void {
  close(openOrMake(root, path, "folder"));
  let fd: number;
  try {
    fd = openIn(root.fd, path, O.PATH | O.DIRECTORY, 0, RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS);
  } catch (error) {
    if (!isErrno(error, "ELOOP", "ENOTDIR")) throw error;
    throw new EngineError(`cannot set up ${path} in the container: it is a link, or no folder, in the image`);
  }
  try {
    use(fd);
  } finally {
    close(fd);
  }
}

/** As many links as the kernel itself follows in one path (path_resolution(7)). */
export const MOST_LINKS = 40;

/**
 * Opens a path inside the root as a path; missing folders on the way, and the last part, are made. A link that leads to
 * nothing (/etc/resolv.conf of many images) is made to lead to something, inside the root.
 */
export function openOrMake(root: Root, path: string, kind: "folder" | "file", links = 0): number {
  try {
    return openIn(root.fd, path, O.PATH);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  let elsewhere: string | undefined;
  inFolderOf(root, path, (folder, name) => {
    try {
      if (kind === "folder") mkdir(name, 0o755, folder);
      else close(openAt(folder, name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o644));
      give(root, folder, name);
    } catch (error) {
      if (!isErrno(error, "EEXIST") || links === MOST_LINKS) throw error;
      elsewhere = readlink(name, folder);
    }
  });
  if (elsewhere === undefined) return openIn(root.fd, path, O.PATH);
  const target = elsewhere.startsWith("/")
    ? elsewhere
    : `${path.slice(0, path.lastIndexOf("/"))}/${elsewhere}`;
  return openOrMake(root, target, kind, links + 1);
}

/** Runs `use` with the folder of a path open, and the path's last part; folders on the way are made. */
export function inFolderOf(root: Root, path: string, use: (folder: number, name: string) => void): void {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  const folder = openOrMake(root, trimmed.slice(0, slash) || "/", "folder");
  try {
    use(folder, trimmed.slice(slash + 1));
  } finally {
    close(folder);
  }
}
