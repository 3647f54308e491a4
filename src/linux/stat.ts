import { errnoName, isErrno } from "./errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "./file.ts";
import { check, cstr, errno, library, SYS, syscall } from "./libc.ts";

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** What statx(2) tells of a file. Times are in nanoseconds since 1970. */
export interface Stat {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: bigint;
  readonly size: number;
  readonly blocks: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

const buffer = new DataView(new ArrayBuffer(256));
const bytes = new Uint8Array(buffer.buffer);

function statx(dirfd: number, path: string, flags: number): Stat {
  check(syscall(SYS.statx, dirfd, cstr(path), flags, 0x7ff, bytes), "stat", path || `fd ${dirfd}`);
  const time = (at: number): bigint =>
    buffer.getBigInt64(at, true) * 1_000_000_000n + BigInt(buffer.getUint32(at + 8, true));
  return {
    nlink: buffer.getUint32(16, true),
    uid: buffer.getUint32(20, true),
    gid: buffer.getUint32(24, true),
    mode: buffer.getUint16(28, true),
    ino: buffer.getBigUint64(32, true),
    size: Number(buffer.getBigUint64(40, true)),
    blocks: Number(buffer.getBigUint64(48, true)),
    ctime: time(96),
    mtime: time(112),
    rdevMajor: buffer.getUint32(128, true),
    rdevMinor: buffer.getUint32(132, true),
    devMajor: buffer.getUint32(136, true),
    devMinor: buffer.getUint32(140, true),
  };
}

/** statx(2) of a path of the host, links followed. */
export function stat(path: string): Stat {
  return statx(AT_FDCWD, path, 0);
}

/** statx(2) of what `path` itself is, links not followed. */
export function lstat(path: string, dirfd = AT_FDCWD): Stat {
  return statx(dirfd, path, AT_SYMLINK_NOFOLLOW);
}

/** statx(2) of an open descriptor. */
export function fstat(fd: number): Stat {
  return statx(fd, "", AT_EMPTY_PATH);
}

/** stat, or undefined where there is no such file. */
export function statIfAny(path: string): Stat | undefined {
  return ifAny(() => stat(path));
}

/** lstat, or undefined where there is no such file. */
export function lstatIfAny(path: string, dirfd = AT_FDCWD): Stat | undefined {
  return ifAny(() => lstat(path, dirfd));
}

function ifAny(look: () => Stat): Stat | undefined {
  try {
    return look();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Whether a path of the host exists. */
export function exists(path: string): boolean {
  // asked for every layer at each run: what is found is not even looked at
  const result = syscall(SYS.statx, AT_FDCWD, cstr(path), AT_SYMLINK_NOFOLLOW, 0, bytes);
  if (result < 0 && ["ENOENT", "ENOTDIR"].includes(errnoName(errno()))) return false;
  check(result, "stat", path);
  return true;
}

/** Whether `path` still is what `fd` is open on: it may have been removed, or made anew, between the opening and a lock. */
export function isStillAt(fd: number, path: string): boolean {
  return lstatIfAny(path)?.ino === fstat(fd).ino;
}

export function isDirectory(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

/** /proc and /sys, by their magic numbers (statfs(2)). */
const PROC_SUPER_MAGIC = 0x9fa0;
const SYSFS_MAGIC = 0x62656572;
const statfs = library({ fstatfs: "ipi" });

/** Whether what is open lies on /proc or /sys, where reading can do something (fstatfs(2)). */
export function isKernels(fd: number): boolean {
  const answer = new Uint32Array(64);
  check(statfs().fstatfs(fd, answer), "fstatfs", `fd ${fd}`);
  return answer[0] === PROC_SUPER_MAGIC || answer[0] === SYSFS_MAGIC;
}

export function isRegular(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFREG;
}
