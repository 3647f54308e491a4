import { close, O, open, read } from "../../linux/file.ts";
import { HoleWriter } from "../../linux/holes.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../linux/stat.ts";
import { type Member, openName, readlinkName, readNames, statName } from "../../linux/tree.ts";
import { readXattrs, type Target } from "../../linux/xattr.ts";
import { joinPath } from "./member-path.ts";
import { type Metadata, type Owner, type SpecialType, TreeWriter } from "./tree-writer.ts";
import { belongsToImage } from "./xattr-policy.ts";

const PIECE = 1 << 20;
const SPECIALS: Readonly<Record<number, SpecialType>> = {
  [S_IFCHR]: "character-device",
  [S_IFBLK]: "block-device",
  [S_IFIFO]: "fifo",
};

/**
 * Copies what is below the folder open on `from`, and what that folder itself carries, into the empty folder open on `to`:
 * owners, modes, times, links, holes, devices, xattrs. Links are never followed; sockets are left out.
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

/**
 * Copies what `handle` is open on (as a path) to `name` in the folder open on `to`: the same, and what is there already stays
 * where it is a folder, and is replaced where not. Without `name` what is in the folder `handle` goes into the folder `to`.
 * Returns the bytes of content. Throws ArchiveError where a file would replace a folder that is not empty.
 */
export function copyMember(handle: number, to: number, name: string | undefined, owner: Owner): number {
  const writer = new TreeWriter(to, "beneath", owner);
  try {
    const copier = new Copier(writer);
    if (name === undefined) copier.members(handle, "");
    else copier.handle(handle, name);
    writer.finish();
    return copier.size;
  } finally {
    writer.close();
  }
}

class Copier {
  /** The bytes of content so far. */
  size = 0;
  /** Under which path a file with several names was written first. */
  readonly #written = new Map<string, string>();
  readonly #buffer = new Uint8Array(PIECE);

  constructor(readonly writer: TreeWriter) {}

  folder(handle: number, path: string): void {
    const fd = openName(handle, ".", O.RDONLY | O.DIRECTORY);
    try {
      this.writer.folder(path, this.#metadata(statName(fd, ""), fd));
    } finally {
      close(fd);
    }
    this.members(handle, path);
  }

  /** All that is in a folder. */
  members(handle: number, path: string): void {
    const fd = openName(handle, ".", O.RDONLY | O.DIRECTORY);
    try {
      for (const name of readNames(fd)) this.#member(fd, name, joinPath(path, name));
    } finally {
      close(fd);
    }
  }

  #member(dirfd: number, name: string, path: string): void {
    const handle = openName(dirfd, name, O.PATH | O.NOFOLLOW);
    try {
      this.handle(handle, path, [dirfd, name]);
    } finally {
      close(handle);
    }
  }

  /** What a handle is open on; `target` is where the attributes of what cannot be opened are read. */
  handle(handle: number, path: string, target?: Target): void {
    const stat = statName(handle, "");
    const type = stat.mode & S_IFMT;
    if (type === S_IFDIR) return this.folder(handle, path);
    const first = stat.nlink > 1 ? this.#written.get(stat.file) : undefined;
    if (first !== undefined) return this.writer.hardLink(path, first);
    if (stat.nlink > 1) this.#written.set(stat.file, path);
    const special = SPECIALS[type];
    if (type === S_IFREG) this.#file(handle, path);
    else if (type === S_IFLNK)
      this.writer.symlink(path, readlinkName(handle, ""), this.#metadata(stat, target));
    else if (special !== undefined)
      this.writer.special(path, special, stat.major, stat.minor, this.#metadata(stat, target));
  }

  #file(handle: number, path: string): void {
    const fd = open(`/proc/self/fd/${handle}`, O.RDONLY | O.NONBLOCK | O.NOCTTY);
    try {
      const out = new HoleWriter(this.writer.beginFile(path, this.#metadata(statName(fd, ""), fd)));
      for (let got = read(fd, this.#buffer); got > 0; got = read(fd, this.#buffer)) {
        out.write(this.#buffer.subarray(0, got));
        this.size += got;
      }
      out.end();
      this.writer.endFile();
    } finally {
      close(fd);
    }
  }

  #metadata({ mode, uid, gid, mtime }: Member, target: Target | undefined): Metadata {
    const found = target === undefined ? [] : readXattrs(target);
    const xattrs = found.filter(([name]) => belongsToImage(name));
    return { mode: mode & 0o7777, uid, gid, mtime, xattrs };
  }
}
