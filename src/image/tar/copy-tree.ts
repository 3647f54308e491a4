import { close, O, open, read, writeAll } from "../../linux/file.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../linux/stat.ts";
import { type Member, openName, readlinkName, readNames, statName } from "../../linux/tree.ts";
import { readXattrs, type Target } from "../../linux/xattr.ts";
import { joinPath } from "./member-path.ts";
import { type Metadata, type SpecialType, TreeWriter } from "./tree-writer.ts";
import { belongsToImage } from "./xattr-policy.ts";

const PIECE = 1 << 20;
const SPECIALS: Readonly<Record<number, SpecialType>> = {
  [S_IFCHR]: "character-device",
  [S_IFBLK]: "block-device",
  [S_IFIFO]: "fifo",
};

/**
 * Copies what is below the folder open on `from`, and what that folder itself carries, into the empty folder open on `to`:
 * owners, modes, times, links, devices, xattrs. Links are never followed; sockets are left out.
 */
export function copyTree(from: number, to: number): void {
  const writer = new TreeWriter(to);
  try {
    new Copier(writer).folder(from, "");
    writer.finish();
  } finally {
    writer.close();
  }
}

class Copier {
  /** Under which path a file with several names was written first. */
  readonly #written = new Map<string, string>();
  readonly #buffer = new Uint8Array(PIECE);

  constructor(readonly writer: TreeWriter) {}

  folder(handle: number, path: string): void {
    const fd = openName(handle, ".", O.RDONLY | O.DIRECTORY);
    try {
      this.writer.folder(path, metadataOf(statName(fd, ""), fd));
      for (const name of readNames(fd)) this.#member(fd, name, joinPath(path, name));
    } finally {
      close(fd);
    }
  }

  #member(dirfd: number, name: string, path: string): void {
    const handle = openName(dirfd, name, O.PATH | O.NOFOLLOW);
    try {
      const stat = statName(handle, "");
      const type = stat.mode & S_IFMT;
      if (type === S_IFDIR) return this.folder(handle, path);
      const first = stat.nlink > 1 ? this.#written.get(stat.file) : undefined;
      if (first !== undefined) return this.writer.hardLink(path, first);
      if (stat.nlink > 1) this.#written.set(stat.file, path);
      const special = SPECIALS[type];
      if (type === S_IFREG) this.#file(handle, path);
      else if (type === S_IFLNK)
        this.writer.symlink(path, readlinkName(handle, ""), metadataOf(stat, [dirfd, name]));
      else if (special !== undefined)
        this.writer.special(path, special, stat.major, stat.minor, metadataOf(stat, [dirfd, name]));
    } finally {
      close(handle);
    }
  }

  #file(handle: number, path: string): void {
    const fd = open(`/proc/self/fd/${handle}`, O.RDONLY | O.NONBLOCK | O.NOCTTY);
    try {
      const out = this.writer.beginFile(path, metadataOf(statName(fd, ""), fd));
      for (let got = read(fd, this.#buffer); got > 0; got = read(fd, this.#buffer))
        writeAll(out, this.#buffer.subarray(0, got));
      this.writer.endFile();
    } finally {
      close(fd);
    }
  }
}

function metadataOf({ mode, uid, gid, mtime }: Member, target: Target): Metadata {
  const xattrs = readXattrs(target).filter(([name]) => belongsToImage(name));
  return { mode: mode & 0o7777, uid, gid, mtime, xattrs };
}
