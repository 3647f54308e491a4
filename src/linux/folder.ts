import { errnoName, isErrno } from "./errno.ts";
import { AT_FDCWD, close, O, openAt, rename, rmdir, unlink } from "./file.ts";
import { check, errno, type Name, SYS, syscall } from "./libc.ts";

/** An entry of getdents64(2). `type` is a DT_ value; DT_UNKNOWN (0) on file systems that do not tell. */
export interface Entry {
  readonly name: string;
  readonly type: number;
}

/** An entry by its name as it is: a container can make names that are no UTF-8. */
interface ByteEntry {
  readonly bytes: Uint8Array;
  readonly type: number;
}

export const DT_DIR = 4;
const DOT = 0x2e;

const decoder = new TextDecoder();
let shared: Uint8Array | undefined;

/** What `make` makes of the names (without their NUL, good until it returns) in an open folder, but for `.` and `..`. */
function readEntries<T>(fd: number, make: (name: Uint8Array, type: number) => T): T[] {
  shared ??= new Uint8Array(65536);
  const buffer = shared;
  const entries: T[] = [];
  for (;;) {
    const got = syscall(SYS.getdents64, fd, buffer, buffer.length);
    if (got < 0 && errnoName(errno()) === "ENOENT") return entries;
    if (check(got, "getdents64", `fd ${fd}`) === 0) return entries;
    for (let at = 0; at < got; at += (buffer[at + 16] ?? 0) | ((buffer[at + 17] ?? 0) << 8)) {
      const name = buffer.subarray(at + 19, buffer.indexOf(0, at + 19));
      const dots = name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
      if (!dots) entries.push(make(name, buffer[at + 18] ?? 0));
    }
  }
}

/** The entries of a folder of the host, but `.` and `..`; an empty list where there is none. Names are taken as UTF-8. */
export function listFolder(path: string, dirfd = AT_FDCWD): Entry[] {
  let fd: number;
  try {
    fd = openAt(dirfd, path, O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
  try {
    return readEntries(fd, (name, type) => ({ name: decoder.decode(name), type }));
  } finally {
    close(fd);
  }
}

/** Whether nothing is in an open folder. */
export function isEmptyFolder(fd: number): boolean {
  // room for `.`, `..` and one more: there may be a million
  const buffer = new Uint8Array(512);
  const got = check(syscall(SYS.getdents64, fd, buffer, buffer.length), "getdents64", `fd ${fd}`);
  let entries = 0;
  for (let at = 0; at < got; at += (buffer[at + 16] ?? 0) | ((buffer[at + 17] ?? 0) << 8)) entries++;
  return entries <= 2;
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
      for (const entry of readEntries(fd, terminated)) {
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

/** The name with a NUL behind, as system calls want it. */
function terminated(name: Uint8Array, type: number): ByteEntry {
  const bytes = new Uint8Array(name.length + 1);
  bytes.set(name);
  return { bytes, type };
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
