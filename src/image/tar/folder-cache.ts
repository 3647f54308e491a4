import { isErrno } from "../../linux/errno.ts";
import { close } from "../../linux/file.ts";
import { mkdirName, openFolderBeneath, readable } from "../../linux/tree.ts";
import { ArchiveError } from "./archive-error.ts";
import { splitPath } from "./member-path.ts";

/** Enough for the folders in use at a time, and far from the limit of open files. */
const MOST = 128;

/** Descriptors (O_PATH) of folders below one root, by their path; the oldest give way to new ones. */
export class FolderCache {
  readonly #open = new Map<string, number>();
  #kept = -1;

  constructor(readonly root: number) {}

  /** The folder at `path`, or undefined where there is none. ArchiveError where a link leads outside. */
  find(path: string): number | undefined {
    if (path === "") return this.root;
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    let fd: number;
    try {
      fd = openFolderBeneath(this.root, path);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw explained(error, path);
    }
    this.#evict();
    this.#open.set(path, fd);
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
    return this.make(path);
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
      close(fd);
    }
  }

  /** Forgets all folders but the pinned one. */
  clear(): void {
    for (const [path, fd] of this.#open) {
      if (fd === this.#kept) continue;
      this.#open.delete(path);
      close(fd);
    }
  }

  close(): void {
    this.#kept = -1;
    this.clear();
  }
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
