import { isErrno } from "../../linux/errno.ts";
import { AT_FDCWD, close, O, RESOLVE } from "../../linux/file.ts";
import { fdPath } from "../../linux/mount.ts";
import {
  chmodFd,
  chownFd,
  mkdirName,
  openFolderBeneath,
  openName,
  readable,
  readlinkName,
} from "../../linux/tree.ts";
import { ArchiveError } from "./archive-error.ts";
import { joinPath, splitPath } from "./member-path.ts";

/** Enough for the folders in use at a time, and far from the limit of open files. */
const MOST = 128;

/** How a link to a folder is followed that a member's name leads through. */
export type Links =
  /** One that leads outside of the root is an error; an absolute one always does. */
  | "beneath"
  /** As a process chrooted there follows it. */
  | "in-root";

/** Descriptors of folders below one root, by their path; the oldest give way to new ones. */
export class FolderCache {
  readonly #open = new Map<string, number>();
  /** Where a path leads that goes through links: the same folder's path without them. */
  readonly #aliases = new Map<string, string>();
  readonly #implicit = new Set<string>();
  #kept = -1;

  constructor(
    readonly root: number,
    readonly links: Links,
  ) {}

  /** Folders that were made here only since something lies in them; their true paths. */
  get implicit(): Set<string> {
    return this.#implicit;
  }

  /** The path of the folder that was found or made last, without the links in it. */
  truePath(folder: string): string {
    return this.#aliases.get(folder) ?? folder;
  }

  /** The folder at `path`, or undefined where there is none. ArchiveError where a link leads outside. */
  find(path: string): number | undefined {
    if (path === "") return this.root;
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    let fd: number;
    try {
      fd = this.#lookUp(path);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw explained(error, path);
    }
    this.#evict();
    this.#open.set(path, fd);
    return fd;
  }

  #lookUp(path: string): number {
    this.#aliases.delete(path);
    try {
      return openFolderBeneath(this.root, path, RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS);
    } catch (error) {
      if (!isErrno(error, "ELOOP")) throw error;
    }
    const fd = openFolderBeneath(
      this.root,
      path,
      this.links === "in-root" ? RESOLVE.IN_ROOT : RESOLVE.BENEATH,
    );
    this.#aliases.set(path, withoutLinks(this.root, fd));
    return fd;
  }

  /** The same, but made with those above it (root's, mode 0755) where missing. */
  make(path: string): number {
    const found = this.find(path);
    if (found !== undefined) return found;
    const [above, name] = splitPath(path);
    const folder = this.make(above);
    try {
      mkdirName(folder, name, 0o755);
    } catch (error) {
      throw isErrno(error, "EEXIST") ? notFolder(path) : error;
    }
    const truePath = joinPath(this.truePath(above), name);
    const made = openMade(folder, name);
    this.#evict();
    this.#open.set(path, made);
    if (truePath !== path) this.#aliases.set(path, truePath);
    this.#implicit.add(truePath);
    return made;
  }

  /** From now on `fd` stays open, whatever is looked up, until another one is pinned. */
  pin(fd: number): void {
    this.#kept = fd;
  }

  #evict(): void {
    for (const [path, fd] of this.#open) {
      if (this.#open.size < MOST) return;
      if (fd === this.#kept) continue;
      this.#open.delete(path);
      this.#aliases.delete(path);
      close(fd);
    }
  }

  /** Forgets all folders but the pinned one. */
  clear(): void {
    for (const [path, fd] of this.#open) {
      if (fd === this.#kept) continue;
      this.#open.delete(path);
      this.#aliases.delete(path);
      close(fd);
    }
  }

  close(): void {
    this.#kept = -1;
    this.clear();
  }
}

/** Opens a folder that was just made. One with the set-group-ID bit has handed it and its group on to it. */
function openMade(dirfd: number, name: string): number {
  const fd = openName(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  try {
    chownFd(fd, 0, 0);
    chmodFd(fd, 0o755);
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

/** Where a folder lies below `root`: what the kernel says of both. */
function withoutLinks(root: number, fd: number): string {
  const path = (of: number): string => readlinkName(AT_FDCWD, fdPath(of));
  const above = path(root);
  return path(fd).slice(above === "/" ? 1 : above.length + 1);
}

/** openat2(2) tells with EXDEV that a link leads outside, with ENOTDIR and ELOOP that it leads to no folder. */
function explained(error: unknown, path: string): unknown {
  if (isErrno(error, "EXDEV"))
    return new ArchiveError(
      `its folder ${JSON.stringify(readable(path))} leads outside of the image by a link`,
    );
  return isErrno(error, "ENOTDIR", "ELOOP") ? notFolder(path) : error;
}

function notFolder(path: string): ArchiveError {
  return new ArchiveError(`its folder ${JSON.stringify(readable(path))} is not a folder`);
}
