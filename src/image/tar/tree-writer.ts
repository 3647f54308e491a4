import { isErrno } from "../../linux/errno.ts";
import { AT_FDCWD, close, O } from "../../linux/file.ts";
import { fdPath } from "../../linux/mount.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT } from "../../linux/stat.ts";
import * as tree from "../../linux/tree.ts";
import { type Target, writeXattr } from "../../linux/xattr.ts";
import { ArchiveError, named } from "./archive-error.ts";
import { FolderCache, type Links } from "./folder-cache.ts";
import { joinPath, splitPath } from "./member-path.ts";
import { belongsToImage, OVERLAY_OPAQUE } from "./xattr-policy.ts";

/** What a member of an archive carries beside its name and content. `mtime` in ns since 1970. */
export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly xattrs: readonly (readonly [name: string, value: string])[];
}

/** Whose is to be what is said to be somebody's. */
export type Owner = (uid: number, gid: number) => readonly [uid: number, gid: number];

const SPECIAL = { "character-device": S_IFCHR, "block-device": S_IFBLK, fifo: S_IFIFO } as const;
export type SpecialType = keyof typeof SPECIAL;

/** What is set on a folder when all that lies in it is made. */
interface FolderEnd {
  readonly mtime: bigint;
  /** A default ACL would be handed on to what is made in it. */
  readonly acl: string | undefined;
}

const DEFAULT_ACL = "system.posix_acl_default";

/**
 * Makes files below one folder, and never outside of it: a member's folder is opened with RESOLVE_BENEATH (or
 * RESOLVE_IN_ROOT), the last part of its name is never followed. Paths are plain (see memberPath) byte strings.
 * A member replaces one of the same name that came before it, as with tar(1).
 */
export class TreeWriter {
  readonly #folders: FolderCache;
  readonly #folderEnds = new Map<string, FolderEnd>();
  #open: { readonly fd: number; readonly meta: Metadata } | undefined;

  constructor(
    readonly root: number,
    links: Links = "beneath",
    readonly owner: Owner = (uid, gid) => [uid, gid],
  ) {
    this.#folders = new FolderCache(root, links);
  }

  /** The true paths of folders that no member was for, but that something lies in. */
  get implicit(): ReadonlySet<string> {
    return this.#folders.implicit;
  }

  /** Whether a member was for the root itself. */
  get hasRoot(): boolean {
    return this.#folderEnds.has("");
  }

  /** A folder; the empty path is the root itself. */
  folder(path: string, meta: Metadata): void {
    const acl = meta.xattrs.find(([key]) => key === DEFAULT_ACL)?.[1];
    const end = { mtime: meta.mtime, acl };
    if (path === "") {
      this.#folderEnds.set("", end);
      const fd = tree.openName(this.root, ".", O.RDONLY | O.DIRECTORY);
      return this.#finishFd(fd, meta, false);
    }
    const [dirfd, name] = this.#place(path);
    this.#create(dirfd, name, undefined, () => tree.mkdirName(dirfd, name, 0o700));
    const truePath = this.truePath(path);
    this.#folderEnds.set(truePath, end);
    this.#folders.implicit.delete(truePath);
    this.#finishFd(tree.openName(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW), meta, false);
  }

  /** The path of what was made or looked for at `path`, without the links that lead to its folder. */
  truePath(path: string): string {
    const [folder, name] = splitPath(path);
    return joinPath(this.#folders.truePath(folder), name);
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
    this.#open = undefined;
    this.#finishFd(fd, meta, true);
  }

  symlink(path: string, target: string, meta: Metadata): void {
    const [dirfd, name] = this.#place(path);
    this.#create(dirfd, name, path, () => tree.symlinkName(target, dirfd, name));
    tree.chownName(dirfd, name, ...this.owner(meta.uid, meta.gid));
    this.#xattrs([dirfd, name], meta);
    tree.setTimeName(dirfd, name, meta.mtime);
  }

  /** Another name for a member that was made before. */
  hardLink(path: string, existing: string): void {
    const [folder, last] = splitPath(existing);
    const missing = new ArchiveError(`its hard link's target ${quote(existing)} is not there`);
    const [dirfd, name] = this.#place(path);
    // a file that was archived twice: the second time as a link to itself
    const present = path === existing ? tree.statIfAny(dirfd, name)?.mode : undefined;
    if (present !== undefined && (present & S_IFMT) !== S_IFDIR) return;
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
    tree.chownName(dirfd, name, ...this.owner(meta.uid, meta.gid));
    chmodSpecial(dirfd, name, meta.mode);
    this.#xattrs([dirfd, name], meta);
    tree.setTimeName(dirfd, name, meta.mtime);
  }

  /** What lies at a path: its mode with the type, or undefined. The folders above it are made where missing. */
  typeOf(path: string): number | undefined {
    const [dirfd, name] = this.#place(path);
    return tree.statIfAny(dirfd, name)?.mode;
  }

  /** Marks a folder opaque, in the kernel's own form (filesystems/overlayfs). It is made where missing. */
  opaque(path: string): void {
    writeXattr([path === "" ? this.root : this.#folders.make(path), "."], OVERLAY_OPAQUE, "y");
  }

  /** Makes a whiteout, in the kernel's own form, where nothing lies. */
  whiteout(path: string): void {
    const [dirfd, name] = this.#place(path);
    tree.mknodName(dirfd, name, S_IFCHR, 0, 0);
  }

  /** Sets the folders' times, which every member made in them has changed, and their default ACLs. */
  finish(): void {
    for (const [path, end] of this.#folderEnds) {
      try {
        this.#finishFolder(path, end);
      } catch (error) {
        throw named(error, path);
      }
    }
  }

  #finishFolder(path: string, { mtime, acl }: FolderEnd): void {
    const [dirfd, name] = path === "" ? [this.root, "."] : this.#place(path);
    if (acl !== undefined) this.#xattr([dirfd, name], DEFAULT_ACL, acl);
    tree.setTimeName(dirfd, name, mtime);
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
    if (file !== undefined) this.#forget(this.truePath(file));
    // what is gone may be a folder, or a link to one, under whose name a descriptor is kept
    this.#folders.clear();
    make();
  }

  #forget(folder: string): void {
    this.#folderEnds.delete(folder);
    this.#folders.implicit.delete(folder);
  }

  /**
   * The last touch to a file or folder, which is closed then. The order matters: chown(2) clears set-id bits and
   * capabilities, and each of them sets the ctime only.
   */
  #finishFd(fd: number, meta: Metadata, time: boolean): void {
    try {
      tree.chownFd(fd, ...this.owner(meta.uid, meta.gid));
      tree.chmodFd(fd, meta.mode);
      this.#xattrs(fd, meta);
      if (time) tree.setTimeFd(fd, meta.mtime);
    } finally {
      close(fd);
    }
  }

  #xattrs(target: Target, meta: Metadata): void {
    for (const [name, value] of meta.xattrs) if (name !== DEFAULT_ACL) this.#xattr(target, name, value);
  }

  #xattr(target: Target, name: string, value: string): void {
    if (!belongsToImage(name)) return;
    try {
      writeXattr(target, name, value);
    } catch (error) {
      if (isErrno(error, "ENOSPC", "E2BIG", "ERANGE"))
        throw new ArchiveError(
          `its extended attribute ${quote(name)} is more than the file system has room for`,
        );
      // a program that misses its capability would fail much later: that one must be kept
      if (!isErrno(error, "EOPNOTSUPP") || name === "security.capability") throw error;
    }
  }
}

/** chmod(2) of what is neither a link nor to be opened: by a handle on it, which nobody can turn into a link meanwhile. */
function chmodSpecial(dirfd: number, name: string, mode: number): void {
  const fd = tree.openName(dirfd, name, O.PATH | O.NOFOLLOW);
  try {
    tree.chmodName(AT_FDCWD, fdPath(fd), mode);
  } finally {
    close(fd);
  }
}

function quote(name: string): string {
  return JSON.stringify(tree.readable(name));
}
