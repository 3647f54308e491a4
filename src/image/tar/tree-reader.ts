import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, O, open } from "../../linux/file.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../linux/stat.ts";
import {
  byteName,
  type Member,
  openName,
  readable,
  readlinkName,
  readNames,
  statName,
} from "../../linux/tree.ts";
import { readXattrs, type Target } from "../../linux/xattr.ts";
import type { TarMember } from "./header.ts";
import {
  checkName,
  checkXattrs,
  isOpaque,
  isWhiteout,
  opaqueMark,
  whiteout,
  type Xattrs,
} from "./layer-form.ts";
import { type Pieces, TarPieces } from "./pieces.ts";
import { belongsToImage } from "./xattr-policy.ts";

const MAX_PATH = 4096;

/** How a tree is to be read. */
export interface ReadOptions {
  /** It is one layer in overlayfs's own form, to become one in a tar's form (see layer-form.ts). */
  readonly layer?: boolean;
  /**
   * Paths that are left out where they are no more than a place for a mount: an empty file, or a folder of which nothing
   * else is written.
   */
  readonly except?: readonly string[];
  /** A comment on the whole archive. */
  readonly comment?: string;
  /** Owners from `base` on, as many as `size`, are 0 and those after it (a container with users of its own). */
  readonly owners?: { readonly base: number; readonly size: number };
}

/** Reads a tree that may be hostile and may change meanwhile, into a tar. */
export class TreeReader {
  readonly #tar = new TarPieces();
  /** Under which name a file with several was written first. */
  readonly #written = new Map<string, string>();
  readonly #layer: boolean;
  readonly #except: ReadonlySet<string>;
  readonly #comment: string | undefined;
  readonly #owners: ReadOptions["owners"];
  /** Folders that are written as soon as something in them is. */
  readonly #pending: (() => Pieces)[] = [];
  #size = 0;
  #mount = 0n;
  #device = "";

  constructor({ layer = false, except = [], comment, owners }: ReadOptions = {}) {
    this.#owners = owners;
    this.#layer = layer;
    this.#except = new Set(except.map((path) => byteName(path).replace(/^\/+|\/+$/g, "")));
    this.#comment = comment;
  }

  /** The bytes of file content so far. */
  get size(): number {
    return this.#size;
  }

  /** The folder open on `root` with all below it, as a whole tar. */
  *read(root: number): Pieces {
    if (this.#comment !== undefined) yield* this.#tar.comment(byteName(this.#comment));
    const fd = openName(root, ".", O.RDONLY | O.DIRECTORY);
    try {
      const stat = statName(fd, "");
      this.#mount = stat.mount;
      this.#device = deviceOf(stat);
      yield* this.#head(fd, stat, "");
      yield* this.#folder(fd, "");
    } finally {
      close(fd);
    }
    yield* this.#tar.end();
  }

  /** What `handle` is open on (as a path) with all below it, as a whole tar in which it is called `name`. */
  *readMember(handle: number, name: string): Pieces {
    const stat = statName(handle, "");
    this.#mount = stat.mount;
    this.#device = deviceOf(stat);
    yield* this.#handle(handle, stat, byteName(name));
    yield* this.#tar.end();
  }

  *#folder(dirfd: number, prefix: string): Pieces {
    for (const name of readNames(dirfd)) {
      const path = `${prefix}${name}`;
      // what reads the image must be able to open it (PATH_MAX)
      if (path.length >= MAX_PATH)
        throw new EngineError(
          `${JSON.stringify(readable(path.slice(0, 60)))}… lies too deep: a path has 4095 bytes at most`,
        );
      try {
        yield* this.#member(dirfd, name, prefix);
      } catch (error) {
        // removed while we read
        if (!isErrno(error, "ENOENT")) throw error;
      }
    }
  }

  /** O_PATH first: to open something for reading before it is known to be a plain file could set off a device. */
  *#member(dirfd: number, name: string, prefix: string): Pieces {
    const path = `${prefix}${name}`;
    const handle = openName(dirfd, name, O.PATH | O.NOFOLLOW);
    try {
      const stat = statName(handle, "");
      const type = stat.mode & S_IFMT;
      if (this.#isMountPoint(stat, type)) return yield* this.#mountPoint(path, type);
      // before links are looked for: the kernel gives all whiteouts one inode
      if (this.#layer && isWhiteout(stat)) return yield* this.#write(whiteout(prefix, name, stat.mtime));
      if (this.#layer) checkName(name, path);
      yield* this.#handle(handle, stat, path, [dirfd, name]);
    } finally {
      close(handle);
    }
  }

  /** What a handle is open on; `target` is where the attributes of what cannot be opened are read. */
  *#handle(handle: number, stat: Member, path: string, target?: Target): Pieces {
    const type = stat.mode & S_IFMT;
    if (type === S_IFDIR) return yield* this.#inner(handle, stat, path);
    const first = stat.nlink > 1 ? this.#written.get(stat.file) : undefined;
    if (first !== undefined) {
      yield* this.#add(stat, path, "1", undefined, { link: first });
      return;
    }
    const isWritten =
      type === S_IFREG
        ? yield* this.#file(handle, path)
        : yield* this.#special(stat, type, path, target, handle);
    if (isWritten && stat.nlink > 1) this.#written.set(stat.file, path);
  }

  *#inner(handle: number, stat: Member, path: string): Pieces {
    const fd = openName(handle, ".", O.RDONLY | O.DIRECTORY);
    const held = this.#pending.length;
    try {
      if (this.#except.has(path)) this.#pending.push(() => this.#head(fd, stat, path));
      else yield* this.#head(fd, stat, path);
      yield* this.#folder(fd, `${path}/`);
    } finally {
      // still there where nothing in it was written
      if (this.#pending.length > held) this.#pending.length = held;
      close(fd);
    }
  }

  /** A folder itself; the empty path is the root. */
  *#head(fd: number, stat: Member, path: string): Pieces {
    const prefix = path === "" ? "" : `${path}/`;
    const xattrs = yield* this.#add(stat, prefix || "./", "5", fd);
    if (this.#layer && isOpaque(xattrs)) yield* this.#tar.add(opaqueMark(prefix, stat.mtime));
  }

  /** False where it is left out. */
  *#file(handle: number, path: string): Pieces<boolean> {
    // the very file the handle is on, whatever bears its name by now
    const fd = open(`/proc/self/fd/${handle}`, O.RDONLY | O.NONBLOCK | O.NOCTTY);
    try {
      const stat = statName(fd, "");
      if (stat.size === 0 && this.#except.has(path)) return false;
      this.#size += stat.size;
      yield* this.#add(stat, path, "0", fd, { size: stat.size });
      return true;
    } finally {
      close(fd);
    }
  }

  /** Links, devices, FIFOs; false for what an image cannot hold (sockets). */
  *#special(
    stat: Member,
    type: number,
    path: string,
    target: Target | undefined,
    handle: number,
  ): Pieces<boolean> {
    const { major, minor } = stat;
    if (type === S_IFLNK) yield* this.#add(stat, path, "2", target, { link: readlinkName(handle, "") });
    else if (type === S_IFCHR) yield* this.#add(stat, path, "3", target, { major, minor });
    else if (type === S_IFBLK) yield* this.#add(stat, path, "4", target, { major, minor });
    else if (type === S_IFIFO) yield* this.#add(stat, path, "6", target);
    else return false;
    return true;
  }

  /** By the mount's id; where an old kernel does not tell it, by a folder's device (a file's may differ in overlayfs). */
  #isMountPoint(stat: Member, type: number): boolean {
    if (stat.mount !== 0n) return stat.mount !== this.#mount;
    return type === S_IFDIR && deviceOf(stat) !== this.#device;
  }

  /** What is mounted there is not the tree's: it keeps an empty place for it. */
  *#mountPoint(path: string, type: number): Pieces {
    if (this.#except.has(path)) return;
    const mtime = BigInt(Date.now()) * 1_000_000n;
    const common = { uid: 0, gid: 0, size: 0, mtime };
    if (type === S_IFDIR) yield* this.#write({ ...common, name: `${path}/`, type: "5", mode: 0o755 });
    else yield* this.#write({ ...common, name: path, type: "0", mode: 0o644 });
  }

  /** Returns the extended attributes, those that are not the image's too. */
  *#add(
    stat: Member,
    name: string,
    type: TarMember["type"],
    target: Target | undefined,
    more: Partial<TarMember> = {},
  ): Pieces<Xattrs> {
    const found = target === undefined ? [] : readXattrs(target);
    if (this.#layer) checkXattrs(found, name);
    const xattrs = found.filter(([key]) => belongsToImage(key));
    const { mode, mtime } = stat;
    const [uid, gid] = [this.#owner(stat.uid), this.#owner(stat.gid)];
    const content = typeof target === "number" ? target : -1;
    yield* this.#write({ name, type, mode, uid, gid, mtime, size: 0, xattrs, ...more }, content);
    return found;
  }

  #owner(id: number): number {
    const { base, size } = this.#owners ?? { base: 0, size: 0 };
    return id >= base && id < base + size ? id - base : id;
  }

  *#write(member: TarMember, content = -1): Pieces {
    const folders = this.#pending.splice(0);
    for (const head of folders) yield* head();
    yield* this.#tar.add(member, content);
  }
}

function deviceOf(stat: Member): string {
  return stat.file.slice(0, stat.file.lastIndexOf(":"));
}
