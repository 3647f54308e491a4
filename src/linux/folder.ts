import { errnoName, isErrno } from "./errno.ts";
import { AT_FDCWD, close, O, openAt, rename, rmdir, unlink } from "./file.ts";
import { check, errno, type Name, SYS, syscall } from "./libc.ts";

/** An entry of getdents64(2). `type` is a DT_ value; DT_UNKNOWN (0) on file systems that do not tell. */
export interface Entry {
  readonly name: string;
  /** The name as it is: a container can make names that are no UTF-8. */
  readonly bytes: Uint8Array;
  readonly ino: bigint;
  readonly type: number;
}

export const DT_DIR = 4;
export const DT_LNK = 10;

const decoder = new TextDecoder();
let shared: Uint8Array | undefined;

/** All entries of an open folder but `.` and `..`, read from its present position. Names are taken as UTF-8. */
export function readEntries(fd: number): Entry[] {
  shared ??= new Uint8Array(65536);
  const buffer = shared;
  const view = new DataView(buffer.buffer);
  const entries: Entry[] = [];
  for (;;) {
    const got = syscall(SYS.getdents64, fd, buffer, buffer.length);
    if (got < 0 && errnoName(errno()) === "ENOENT") return entries;
    if (check(got, "getdents64", `fd ${fd}`) === 0) return entries;
    for (let at = 0; at < got; ) {
      const length = view.getUint16(at + 16, true);
      const end = buffer.indexOf(0, at + 19);
      const name = decoder.decode(buffer.subarray(at + 19, end));
      const bytes = buffer.slice(at + 19, end + 1);
      if (name !== "." && name !== "..")
        entries.push({ name, bytes, ino: view.getBigUint64(at, true), type: buffer[at + 18] ?? 0 });
      at += length;
    }
  }
}

/** The entries of a folder of the host; an empty list where there is none. */
export function listFolder(path: string, dirfd = AT_FDCWD): Entry[] {
  let fd: number;
  try {
    fd = openAt(dirfd, path, O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
  try {
    return readEntries(fd);
  } finally {
    close(fd);
  }
}

/** How deep a folder may lie before it is moved up: descriptors are held along the way down. */
const DEEPEST = 64;

/**
 * Removes `name` in `dirfd` with all that is below it; no error where it is missing. Links are never
 * followed and mount points never entered (they answer EBUSY). Trees deeper than PATH_MAX, which a
 * container can make, are flattened as they are met.
 */
export function removeTree(name: string, dirfd = AT_FDCWD): void {
  try {
    unlink(name, dirfd);
    return;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    if (!isErrno(error, "EISDIR", "EPERM")) throw error;
  }
  const top = openAt(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  try {
    let moved = false;
    const empty = (fd: number, depth: number): void => {
      for (const entry of readEntries(fd)) {
        if (entry.type !== DT_DIR && entry.type !== 0) {
          unlink(entry.bytes, fd);
          continue;
        }
        if (depth >= DEEPEST) {
          moveUp(entry.bytes, fd, top);
          moved = true;
          continue;
        }
        const inner = openFolder(entry.bytes, fd);
        if (inner === undefined) continue;
        try {
          empty(inner, depth + 1);
        } finally {
          close(inner);
        }
        rmdir(entry.bytes, fd);
      }
    };
    do {
      moved = false;
      empty(top, 0);
      syscall(SYS.lseek, top, 0, 0);
    } while (moved);
  } finally {
    close(top);
  }
  rmdir(name, dirfd);
}

let movedUp = 0;

/** Moves a folder into `top` under a name that nothing there has. */
function moveUp(name: Name, from: number, top: number): void {
  for (;;) {
    try {
      return rename(name, `.mydocker-deep-${movedUp++}`, from, top);
    } catch (error) {
      if (!isErrno(error, "EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR")) throw error;
    }
  }
}

/** Opens a folder to empty it; where it is a file after all, removes that and returns undefined. */
function openFolder(name: Name, dirfd: number): number | undefined {
  try {
    return openAt(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (!isErrno(error, "ENOTDIR", "ELOOP")) throw error;
    unlink(name, dirfd);
    return undefined;
  }
}
