import { errnoName, isErrno, SysError } from "./errno.ts";
import { check, cstr, errno, library, type Name, SYS, syscall } from "./libc.ts";

const libc = library({
  openat: "ipiii",
  close: "ii",
  read: "ipll",
  write: "ipll",
  pread: "iplll",
  fsync: "ii",
  ftruncate: "ili",
  mkdirat: "ipii",
  unlinkat: "ipii",
  symlinkat: "pipi",
  linkat: "ipipii",
  renameat: "ipipi",
  readlinkat: "ippll",
  fchmodat: "ipiii",
  fchownat: "ipiiii",
  flock: "iii",
  fcntl: "iili",
});

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;

const arm64 = process.arch === "arm64";

/** Flags of open(2); O_DIRECTORY and O_NOFOLLOW have other values on arm64. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECTORY: arm64 ? 0o40000 : 0o200000,
  NOFOLLOW: arm64 ? 0o100000 : 0o400000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

/** How openat2(2) may resolve a path. */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16 } as const;

function shown(name: Name): string {
  return typeof name === "string" ? name : decoder.decode(name).replace(/\0$/, "");
}

/** openat(2); O_CLOEXEC is always added. Returns the descriptor. */
export function openAt(dirfd: number, path: Name, flags: number, mode = 0): number {
  for (;;) {
    const fd = libc().openat(dirfd, cstr(path), flags | O.CLOEXEC, mode);
    if (fd >= 0) return fd;
    if (errnoName(errno()) !== "EINTR") return check(fd, "open", shown(path));
  }
}

/** open(2) of a path as the host sees it; never to be used on a path inside a container's root. */
export function open(path: string, flags: number, mode = 0): number {
  return openAt(AT_FDCWD, path, flags, mode);
}

/**
 * openat2(2): opens `path` so that it cannot leave `dirfd`: by default links are followed as a process
 * chrooted there would follow them, and magic links (/proc/PID/fd) are refused.
 */
export function openIn(
  dirfd: number,
  path: string,
  flags: number,
  mode = 0,
  resolve: number = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS,
): number {
  const how = new BigUint64Array([BigInt(flags | O.CLOEXEC), BigInt(mode), BigInt(resolve)]);
  for (;;) {
    const fd = syscall(SYS.openat2, dirfd, cstr(path), how, 24);
    if (fd >= 0) return fd;
    // EAGAIN: a rename elsewhere raced with the walk; the man page says to try again
    const code = errnoName(errno());
    if (code !== "EAGAIN" && code !== "EINTR") return check(fd, "openat2", path);
  }
}

/** close(2). Errors are of no use to anyone here: the descriptor is gone in any case. */
export function close(fd: number): void {
  libc().close(fd);
}

/** read(2) into `buffer`; the number of bytes read, 0 at the end. */
export function read(fd: number, buffer: Uint8Array): number {
  for (;;) {
    const got = libc().read(fd, buffer, buffer.length);
    if (got >= 0) return got;
    if (errnoName(errno()) !== "EINTR") return check(got, "read", `fd ${fd}`);
  }
}

/** lseek(2) to the end; returns where that is. */
export function seekEnd(fd: number): number {
  return check(syscall(SYS.lseek, fd, 0, 2), "lseek", `fd ${fd}`);
}

/** pread(2) of up to `buffer.length` bytes at `offset`. */
export function pread(fd: number, buffer: Uint8Array, offset: number): number {
  return check(libc().pread(fd, buffer, buffer.length, offset), "pread", `fd ${fd}`);
}

/** pwrite(2); returns how much was written. */
export function pwrite(fd: number, data: Uint8Array, offset: number): number {
  return check(syscall(SYS.pwrite64, fd, data, data.length, offset), "pwrite", `fd ${fd}`);
}

/** ftruncate(2). */
export function truncate(fd: number, length: number): void {
  check(libc().ftruncate(fd, length), "ftruncate", `fd ${fd}`);
}

/** write(2) until all of `data` is written. */
export function writeAll(fd: number, data: Uint8Array): void {
  let rest = data;
  while (rest.length > 0) {
    const done = libc().write(fd, rest, rest.length);
    if (done >= 0) rest = rest.subarray(done);
    else if (errnoName(errno()) === "EAGAIN") Bun.sleepSync(1);
    else if (errnoName(errno()) !== "EINTR") check(done, "write", `fd ${fd}`);
  }
}

/**
 * Everything that can still be read from `fd`; throws EFBIG past `limit` bytes. Files of /proc are made anew for each read,
 * so one large read is the quickest.
 */
export function readAll(fd: number, limit = 64 << 20): Uint8Array {
  let buffer = new Uint8Array(8192);
  let used = 0;
  for (;;) {
    const got = read(fd, buffer.subarray(used));
    if (got === 0) return buffer.subarray(0, used);
    used += got;
    if (used > limit) throw new SysError("read", `fd ${fd}`, 27);
    if (used === buffer.length) {
      const larger = new Uint8Array(buffer.length * 4);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

let scratch = new Uint8Array(0);

/**
 * The whole of a regular file, from its present position on, where a read that does not fill its buffer has met the end.
 * Good until the next call. Throws EFBIG past 64 MB.
 */
export function readRegular(fd: number): Uint8Array {
  if (scratch.length === 0) scratch = new Uint8Array(16384);
  for (let used = 0; ; ) {
    const room = scratch.length - used;
    const got = read(fd, used === 0 ? scratch : scratch.subarray(used));
    used += got;
    if (got < room) return scratch.subarray(0, used);
    if (used > 64 << 20) throw new SysError("read", `fd ${fd}`, 27);
    const larger = new Uint8Array(scratch.length * 4);
    larger.set(scratch);
    scratch = larger;
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The bytes of a file of the host. */
export function readBytes(path: string, dirfd = AT_FDCWD): Uint8Array {
  const fd = openAt(dirfd, path, O.RDONLY);
  try {
    return readAll(fd);
  } finally {
    close(fd);
  }
}

/** The text of a file of the host. */
export function readText(path: string, dirfd = AT_FDCWD): string {
  return decoder.decode(readBytes(path, dirfd));
}

/** The text of a file, or undefined where there is none. */
export function readTextIfAny(path: string, dirfd = AT_FDCWD): string | undefined {
  try {
    return readText(path, dirfd);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ESRCH")) return undefined;
    throw error;
  }
}

/** Writes `data` to an existing file in one write(2), as files of /proc and cgroups want it. */
export function writeInto(path: string, data: string, dirfd = AT_FDCWD): void {
  const fd = openAt(dirfd, path, O.WRONLY);
  try {
    const bytes = encoder.encode(data);
    check(libc().write(fd, bytes, bytes.length), "write", `${JSON.stringify(data)} to ${path}`);
  } finally {
    close(fd);
  }
}

/** Creates or truncates a file and writes `data`. */
export function writeFile(path: string, data: string | Uint8Array, mode = 0o600, dirfd = AT_FDCWD): void {
  const fd = openAt(dirfd, path, O.WRONLY | O.CREAT | O.TRUNC | O.NOFOLLOW, mode);
  try {
    writeAll(fd, typeof data === "string" ? encoder.encode(data) : data);
  } finally {
    close(fd);
  }
}

/**
 * Replaces a file as a whole: written aside, then renamed over it; a reader sees the old or the new one.
 * With `durable` the data and the folder entry are synced, so that it also survives a power cut.
 */
export function writeFileAtomic(path: string, data: string, durable: boolean, mode = 0o600): void {
  const slash = path.lastIndexOf("/");
  const folder = path.slice(0, slash);
  const aside = `${folder}/.${path.slice(slash + 1)}.${process.pid}`;
  const fd = open(aside, O.WRONLY | O.CREAT | O.TRUNC | O.NOFOLLOW, mode);
  try {
    writeAll(fd, encoder.encode(data));
    if (durable) fsync(fd);
    rename(aside, path);
  } catch (error) {
    unlinkIfAny(aside);
    throw error;
  } finally {
    close(fd);
  }
  if (durable) syncFolder(folder);
}

/** fsync(2). */
export function fsync(fd: number): void {
  check(libc().fsync(fd), "fsync", `fd ${fd}`);
}

/** Makes the entries of a folder durable. */
export function syncFolder(path: string): void {
  const fd = open(path, O.RDONLY | O.DIRECTORY);
  try {
    fsync(fd);
  } finally {
    close(fd);
  }
}

/** mkdirat(2). */
export function mkdir(path: string, mode = 0o755, dirfd = AT_FDCWD): void {
  check(libc().mkdirat(dirfd, cstr(path), mode), "mkdir", path);
}

/** Makes a folder; false where something of that name is there already. */
export function mkdirIfMissing(path: string, mode = 0o755, dirfd = AT_FDCWD): boolean {
  try {
    mkdir(path, mode, dirfd);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

/** Makes a folder of the host and those above it. */
export function mkdirAll(path: string, mode = 0o755): void {
  try {
    mkdirIfMissing(path, mode);
  } catch (error) {
    const above = path.slice(0, path.lastIndexOf("/"));
    if (!isErrno(error, "ENOENT") || above === "") throw error;
    mkdirAll(above, mode);
    mkdirIfMissing(path, mode);
  }
}

/** unlinkat(2), for files. */
export function unlink(path: Name, dirfd = AT_FDCWD): void {
  check(libc().unlinkat(dirfd, cstr(path), 0), "unlink", shown(path));
}

/** unlinkat(2), for empty folders. */
export function rmdir(path: Name, dirfd = AT_FDCWD): void {
  check(libc().unlinkat(dirfd, cstr(path), AT_REMOVEDIR), "rmdir", shown(path));
}

/** Removes a file; false where there is none. */
export function unlinkIfAny(path: string, dirfd = AT_FDCWD): boolean {
  try {
    unlink(path, dirfd);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

/** symlinkat(2): `path` becomes a link to `target`. */
export function symlink(target: string, path: string, dirfd = AT_FDCWD): void {
  check(libc().symlinkat(cstr(target), dirfd, cstr(path)), "symlink", path);
}

/** linkat(2) without following links: `to` becomes another name of `from`. */
export function link(fromFd: number, from: string, toFd: number, to: string): void {
  check(libc().linkat(fromFd, cstr(from), toFd, cstr(to), 0), "link", `${from} to ${to}`);
}

/** renameat(2). */
export function rename(from: Name, to: Name, fromFd = AT_FDCWD, toFd = AT_FDCWD): void {
  check(libc().renameat(fromFd, cstr(from), toFd, cstr(to)), "rename", `${shown(from)} to ${shown(to)}`);
}

/** renameat2(2) with RENAME_NOREPLACE: EEXIST where `to` exists. */
export function renameNew(from: string, to: string): void {
  check(syscall(SYS.renameat2, AT_FDCWD, cstr(from), AT_FDCWD, cstr(to), 1), "rename", `${from} to ${to}`);
}

/** readlinkat(2); the target of a symbolic link. */
export function readlink(path: string, dirfd = AT_FDCWD): string {
  const buffer = new Uint8Array(4096);
  const length = check(libc().readlinkat(dirfd, cstr(path), buffer, buffer.length), "readlink", path);
  return decoder.decode(buffer.subarray(0, length));
}

/** The target of a symbolic link, or undefined where there is none. */
export function readlinkIfAny(path: string, dirfd = AT_FDCWD): string | undefined {
  try {
    return readlink(path, dirfd);
  } catch (error) {
    if (isErrno(error, "ENOENT", "EINVAL", "ENOTDIR", "ESRCH")) return undefined;
    throw error;
  }
}

/** fchmodat(2); follows links, so only for paths that cannot be links. */
export function chmod(path: string, mode: number, dirfd = AT_FDCWD): void {
  check(libc().fchmodat(dirfd, cstr(path), mode, 0), "chmod", path);
}

/** fchownat(2) without following links. */
export function chown(path: string, uid: number, gid: number, dirfd = AT_FDCWD): void {
  check(libc().fchownat(dirfd, cstr(path), uid, gid, AT_SYMLINK_NOFOLLOW), "chown", path);
}

/** flock(2), exclusive. Waits, or with `wait: false` returns false where another holder has it. */
export function lock(fd: number, wait: boolean): boolean {
  for (;;) {
    const result = libc().flock(fd, 2 | (wait ? 0 : 4));
    if (result === 0) return true;
    const code = errnoName(errno());
    if (code === "EAGAIN") return false;
    if (code !== "EINTR") check(result, "flock", `fd ${fd}`);
  }
}

/** flock(2), shared and without waiting; false where somebody holds the file exclusively. */
export function tryLockShared(fd: number): boolean {
  const result = libc().flock(fd, 1 | 4);
  if (result === 0) return true;
  if (errnoName(errno()) === "EAGAIN") return false;
  check(result, "flock", `fd ${fd}`);
  return false;
}

/** flock(2), shared; waits for an exclusive holder. */
export function lockShared(fd: number): void {
  check(libc().flock(fd, 1), "flock", `fd ${fd}`);
}

/** fcntl(2) F_DUPFD_CLOEXEC: a copy of `fd` with a number of `from` or above. */
export function dupFrom(fd: number, from: number): number {
  return check(libc().fcntl(fd, 1030, from), "fcntl", `F_DUPFD_CLOEXEC ${fd}`);
}

/** memfd_create(2) with close-on-exec; `sealable` allows F_ADD_SEALS later. */
export function memfd(name: string, sealable: boolean): number {
  return check(syscall(SYS.memfd_create, cstr(name), sealable ? 3 : 1), "memfd_create", name);
}

/** fcntl(2) F_ADD_SEALS: the memfd can no longer be written, grown, shrunk or unsealed. */
export function sealAll(fd: number): void {
  check(libc().fcntl(fd, 1033, 15), "fcntl", "F_ADD_SEALS");
}
