import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, O, open } from "../../linux/file.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../linux/stat.ts";
import { type Member, openName, readable, readlinkName, readNames, statName } from "../../linux/tree.ts";
import { readXattrs, type Target } from "../../linux/xattr.ts";
import type { TarMember } from "./header.ts";
import type { TarOutput } from "./output.ts";
import { belongsToImage } from "./xattr-policy.ts";

const MAX_PATH = 4096;

/** Reads a tree that may be hostile and may change meanwhile, into a tar. */
export class TreeReader {
  /** Under which name a file with several was written first. */
  readonly #written = new Map<string, string>();
  #size = 0;
  #mount = 0n;
  #device = "";

  constructor(readonly output: TarOutput) {}

  /** Writes the folder open on `root` with all below it; returns the bytes of file content. */
  read(root: number): number {
    const fd = openName(root, ".", O.RDONLY | O.DIRECTORY);
    try {
      const stat = statName(fd, "");
      this.#mount = stat.mount;
      this.#device = deviceOf(stat);
      this.#add(stat, "./", "5", fd);
      this.#folder(fd, "");
    } finally {
      close(fd);
    }
    return this.#size;
  }

  #folder(dirfd: number, prefix: string): void {
    for (const name of readNames(dirfd)) {
      const path = `${prefix}${name}`;
      // what reads the image must be able to open it (PATH_MAX)
      if (path.length >= MAX_PATH)
        throw new EngineError(
          `${JSON.stringify(readable(path.slice(0, 60)))}… lies too deep: a path has 4095 bytes at most`,
        );
      try {
        this.#member(dirfd, name, path);
      } catch (error) {
        // removed while we read
        if (!isErrno(error, "ENOENT")) throw error;
      }
    }
  }

  /** O_PATH first: to open something for reading before it is known to be a plain file could set off a device. */
  #member(dirfd: number, name: string, path: string): void {
    const handle = openName(dirfd, name, O.PATH | O.NOFOLLOW);
    try {
      const stat = statName(handle, "");
      const type = stat.mode & S_IFMT;
      if (this.#isMountPoint(stat, type)) return this.#mountPoint(path, type);
      if (type === S_IFDIR) return this.#inner(handle, stat, path);
      const first = stat.nlink > 1 ? this.#written.get(stat.file) : undefined;
      if (first !== undefined) return this.#add(stat, path, "1", undefined, { link: first });
      if (type === S_IFREG) this.#file(handle, path);
      else if (!this.#special(stat, type, path, [dirfd, name], handle)) return;
      if (stat.nlink > 1) this.#written.set(stat.file, path);
    } finally {
      close(handle);
    }
  }

  #inner(handle: number, stat: Member, path: string): void {
    const fd = openName(handle, ".", O.RDONLY | O.DIRECTORY);
    try {
      this.#add(stat, `${path}/`, "5", fd);
      this.#folder(fd, `${path}/`);
    } finally {
      close(fd);
    }
  }

  #file(handle: number, path: string): void {
    // the very file the handle is on, whatever bears its name by now
    const fd = open(`/proc/self/fd/${handle}`, O.RDONLY | O.NONBLOCK | O.NOCTTY);
    try {
      const stat = statName(fd, "");
      this.#size += stat.size;
      this.#add(stat, path, "0", fd, { size: stat.size });
    } finally {
      close(fd);
    }
  }

  /** Links, devices, FIFOs; false for what an image cannot hold (sockets). */
  #special(stat: Member, type: number, path: string, target: Target, handle: number): boolean {
    const { major, minor } = stat;
    if (type === S_IFLNK) this.#add(stat, path, "2", target, { link: readlinkName(handle, "") });
    else if (type === S_IFCHR) this.#add(stat, path, "3", target, { major, minor });
    else if (type === S_IFBLK) this.#add(stat, path, "4", target, { major, minor });
    else if (type === S_IFIFO) this.#add(stat, path, "6", target);
    else return false;
    return true;
  }

  /** By the mount's id; where an old kernel does not tell it, by a folder's device (a file's may differ in overlayfs). */
  #isMountPoint(stat: Member, type: number): boolean {
    if (stat.mount !== 0n) return stat.mount !== this.#mount;
    return type === S_IFDIR && deviceOf(stat) !== this.#device;
  }

  /** What is mounted there is not the tree's: it keeps an empty place for it. */
  #mountPoint(path: string, type: number): void {
    const mtime = BigInt(Date.now()) * 1_000_000n;
    const common = { uid: 0, gid: 0, size: 0, mtime };
    if (type === S_IFDIR) this.output.add({ ...common, name: `${path}/`, type: "5", mode: 0o755 });
    else this.output.add({ ...common, name: path, type: "0", mode: 0o644 });
  }

  #add(
    stat: Member,
    name: string,
    type: TarMember["type"],
    target: Target | undefined,
    more: Partial<TarMember> = {},
  ): void {
    const xattrs = target === undefined ? [] : readXattrs(target).filter(([key]) => belongsToImage(key));
    const { mode, uid, gid, mtime } = stat;
    const content = typeof target === "number" ? target : -1;
    this.output.add({ name, type, mode, uid, gid, mtime, size: 0, xattrs, ...more }, content);
  }
}

function deviceOf(stat: Member): string {
  return stat.file.slice(0, stat.file.lastIndexOf(":"));
}
