import { isErrno } from "../../linux/errno.ts";
import { close, O } from "../../linux/file.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT } from "../../linux/stat.ts";
import * as tree from "../../linux/tree.ts";
import { type Target, writeXattr } from "../../linux/xattr.ts";
import { ArchiveError } from "./archive-error.ts";
import { FolderCache } from "./folder-cache.ts";
import { splitPath } from "./member-path.ts";
import { belongsToImage } from "./xattr-policy.ts";

/** What a member of an archive carries beside its name and content. `mtime` in ns since 1970. */
export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly xattrs: readonly (readonly [name: string, value: string])[];
}

const SPECIAL = { "character-device": S_IFCHR, "block-device": S_IFBLK, fifo: S_IFIFO } as const;
export type SpecialType = keyof typeof SPECIAL;

/**
 * Makes files below one folder, and never outside of it: a member's folder is opened with RESOLVE_BENEATH, the
 * last part of its name is never followed. Paths are plain (see memberPath) byte strings. A member replaces
 * one of the same name that came before it, as with tar(1).
 */
export class TreeWriter {
  readonly #folders: FolderCache;
  readonly #folderTimes = new Map<string, bigint>();
  #open: { readonly fd: number; readonly meta: Metadata } | undefined;

  constructor(readonly root: number) {
    this.#folders = new FolderCache(root);
  }

  /** A folder; the empty path is the root itself. */
  folder(path: string, meta: Metadata): void {
    this.#folderTimes.set(path, meta.mtime);
    if (path === "") return this.#finishFd(this.root, meta, false);
    const [dirfd, name] = this.#place(path);
    this.#create(dirfd, name, undefined, () => tree.mkdirName(dirfd, name, 0o700));
    tree.chownName(dirfd, name, meta.uid, meta.gid);
    tree.chmodName(dirfd, name, meta.mode);
    this.#xattrs([dirfd, name], meta);
  }

  /** Begins a regular file; returns the descriptor its content is to be written to before `endFile`. */
  beginFile(path: string, meta: Metadata): number {
    const [dirfd, name] = this.#place(path);
    let fd = -1;
    this.#create(dirfd, name, path, () => {
      fd = tree.openName(dirfd, name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
    });
    this.#open = { fd, meta };
    return fd;
  }

  /** Ends the file that was begun last. */
  endFile(): void {
    if (this.#open === undefined) return;
    const { fd, meta } = this.#open;
    this.#finishFd(fd, meta, true);
    this.#open = undefined;
    close(fd);
  }

  symlink(path: string, target: string, meta: Metadata): void {
    const [dirfd, name] = this.#place(path);
    this.#create(dirfd, name, path, () => tree.symlinkName(target, dirfd, name));
    tree.chownName(dirfd, name, meta.uid, meta.gid);
    this.#xattrs([dirfd, name], meta);
    tree.setTimeName(dirfd, name, meta.mtime);
  }

  /** Another name for a member that was made before. */
  hardLink(path: string, existing: string): void {
    const [folder, last] = splitPath(existing);
    const missing = new ArchiveError(`its hard link's target ${quote(existing)} is not there`);
    const [dirfd, name] = this.#place(path);
    // a file that was archived twice: the second time as a link to itself
    if (path === existing && isThere(dirfd, name)) return;
    try {
      this.#create(dirfd, name, path, () => {
        const from = this.#folders.find(folder);
        if (from === undefined || last === "") throw missing;
        tree.linkName(from, last, dirfd, name);
      });
    } catch (error) {
      throw isErrno(error, "ENOENT") ? missing : error;
    }
  }

  special(path: string, type: SpecialType, major: number, minor: number, meta: Metadata): void {
    const [dirfd, name] = this.#place(path);
    this.#create(dirfd, name, path, () =>
      tree.mknodName(
        dirfd,
        name,
        SPECIAL[type] | 0o600,
        type === "fifo" ? 0 : major,
        type === "fifo" ? 0 : minor,
      ),
    );
    tree.chownName(dirfd, name, meta.uid, meta.gid);
    tree.chmodName(dirfd, name, meta.mode);
    this.#xattrs([dirfd, name], meta);
    tree.setTimeName(dirfd, name, meta.mtime);
  }

  /** Sets the folders' times, which every member made in them has changed. */
  finish(): void {
    for (const [path, mtime] of this.#folderTimes) {
      if (path === "") continue;
      const [dirfd, name] = this.#place(path);
      tree.setTimeName(dirfd, name, mtime);
    }
    const mtime = this.#folderTimes.get("");
    if (mtime !== undefined) tree.setTimeName(this.root, ".", mtime);
  }

  /** Closes what is open; the root is the caller's. */
  close(): void {
    if (this.#open !== undefined) close(this.#open.fd);
    this.#open = undefined;
    this.#folders.close();
  }

  #place(path: string): readonly [number, string] {
    const [folder, name] = splitPath(path);
    if (name === "") throw new ArchiveError("the root of the image can only be a folder");
    const dirfd = this.#folders.make(folder);
    this.#folders.pin(dirfd);
    return [dirfd, name];
  }

  /**
   * Runs `make`; where something of that name is there already, removes that first. `file` is the path of what is
   * no folder; a folder for a folder stays.
   */
  #create(dirfd: number, name: string, file: string | undefined, make: () => void): void {
    try {
      return make();
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    const present = (tree.statName(dirfd, name).mode & S_IFMT) === S_IFDIR;
    if (present && file === undefined) return;
    try {
      tree.unlinkName(dirfd, name, present);
    } catch (error) {
      if (isErrno(error, "ENOTEMPTY")) throw new ArchiveError("it would replace a folder that is not empty");
      throw error;
    }
    // what is gone may be a folder, or a link to one, under whose name a descriptor is kept
    this.#folders.clear();
    if (file !== undefined) this.#folderTimes.delete(file);
    make();
  }

  /** The order matters: chown(2) clears set-id bits and capabilities, and each of them sets the ctime only. */
  #finishFd(fd: number, meta: Metadata, time: boolean): void {
    tree.chownFd(fd, meta.uid, meta.gid);
    tree.chmodFd(fd, meta.mode);
    this.#xattrs(fd, meta);
    if (time) tree.setTimeFd(fd, meta.mtime);
  }

  #xattrs(target: Target, meta: Metadata): void {
    for (const [name, value] of meta.xattrs) {
      if (!belongsToImage(name)) continue;
      try {
        writeXattr(target, name, value);
      } catch (error) {
        // a program that misses its capability would fail much later: that one must be kept
        if (!isErrno(error, "EOPNOTSUPP") || name === "security.capability") throw error;
      }
    }
  }
}

function isThere(dirfd: number, name: string): boolean {
  try {
    return (tree.statName(dirfd, name).mode & S_IFMT) !== S_IFDIR;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function quote(name: string): string {
  return JSON.stringify(tree.readable(name));
}
