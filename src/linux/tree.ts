import { errnoName, SysError } from "./errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O, RESOLVE } from "./file.ts";
import { check, errno, library, SYS, syscall } from "./libc.ts";
import { modificationTimes } from "./time.ts";

/**
 * System calls on trees whose names were chosen by somebody else. A name in a file system is bytes, not
 * text: here it is held as a string with one character (0 to 255) for each byte, so that none is lost.
 */
const libc = library({
  openat: "ipiii",
  fchown: "iiii",
  fchmod: "iii",
  fchownat: "ipiiii",
  fchmodat: "ipiii",
  utimensat: "ippii",
  futimens: "ipi",
  mkdirat: "ipii",
  mknodat: "ipili",
  symlinkat: "pipi",
  linkat: "ipipii",
  unlinkat: "ipii",
  readlinkat: "ippll",
});

const MAX_PATH = 4096;
const MAX_READ = 65536;

let scratch: readonly [Buffer, Buffer] | undefined;

/** The bytes of `name` with a NUL behind, in one of two buffers that the next call uses again. */
function bytes(name: string, slot: 0 | 1 = 0): Buffer {
  scratch ??= [Buffer.alloc(MAX_PATH), Buffer.alloc(MAX_PATH)];
  const buffer = scratch[slot];
  if (name.includes("\0")) throw new SysError("name", readable(name), 22);
  if (name.length >= MAX_PATH) throw new SysError("name", `${readable(name).slice(0, 64)}...`, 36);
  buffer.write(name, 0, "latin1");
  buffer[name.length] = 0;
  return buffer;
}

/** A byte name as a person reads it: UTF-8, with control characters escaped. */
export function readable(name: string): string {
  const text = JSON.stringify(Buffer.from(name, "latin1").toString("utf8"));
  return text.slice(1, -1);
}

/** The byte name of a text. */
export function byteName(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function done(result: number, call: string, name: string): void {
  if (result < 0) check(result, call, readable(name));
}

/** openat(2) with O_CLOEXEC. */
export function openName(dirfd: number, name: string, flags: number, mode = 0): number {
  for (;;) {
    const fd = libc().openat(dirfd, bytes(name), flags | O.CLOEXEC, mode);
    if (fd >= 0) return fd;
    const number = errno();
    if (errnoName(number) !== "EINTR") throw new SysError("open", readable(name), number);
  }
}

/**
 * openat2(2) of a folder below `dirfd`, with O_PATH. By default links that lead outside of it answer EXDEV (RESOLVE_BENEATH);
 * `resolve` says otherwise.
 */
export function openFolderBeneath(dirfd: number, path: string, resolve: number = RESOLVE.BENEATH): number {
  const flags = BigInt(O.PATH | O.DIRECTORY | O.CLOEXEC);
  const how = new BigUint64Array([flags, 0n, BigInt(resolve | RESOLVE.NO_MAGICLINKS)]);
  for (;;) {
    const fd = syscall(SYS.openat2, dirfd, bytes(path), how, 24);
    if (fd >= 0) return fd;
    const number = errno();
    // EAGAIN: a rename elsewhere raced with the walk; the man page says to try again
    if (!["EAGAIN", "EINTR"].includes(errnoName(number)))
      throw new SysError("openat2", readable(path), number);
  }
}

/** fchown(2). It clears set-id bits and file capabilities, so it comes before fchmod and setxattr. */
export function chownFd(fd: number, uid: number, gid: number): void {
  done(libc().fchown(fd, uid, gid), "fchown", `fd ${fd}`);
}

/** fchmod(2). */
export function chmodFd(fd: number, mode: number): void {
  done(libc().fchmod(fd, mode), "fchmod", `fd ${fd}`);
}

/** fchownat(2) of what `name` itself is. */
export function chownName(dirfd: number, name: string, uid: number, gid: number): void {
  done(libc().fchownat(dirfd, bytes(name), uid, gid, AT_SYMLINK_NOFOLLOW), "chown", name);
}

/** fchmodat(2); it follows a link, so only for what is known to be none. */
export function chmodName(dirfd: number, name: string, mode: number): void {
  done(libc().fchmodat(dirfd, bytes(name), mode, 0), "chmod", name);
}

/** mkdirat(2). */
export function mkdirName(dirfd: number, name: string, mode: number): void {
  done(libc().mkdirat(dirfd, bytes(name), mode), "mkdir", name);
}

/** mknodat(2); `mode` with its S_IF bits. */
export function mknodName(dirfd: number, name: string, mode: number, major: number, minor: number): void {
  // the kernel's new_encode_dev(): 12 bits of major, 20 of minor
  const device = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12);
  done(libc().mknodat(dirfd, bytes(name), mode, device >>> 0), "mknod", name);
}

/** symlinkat(2): `name` becomes a link to `target`. */
export function symlinkName(target: string, dirfd: number, name: string): void {
  done(libc().symlinkat(bytes(target), dirfd, bytes(name, 1)), "symlink", name);
}

/** open(2), of a folder: a file in it without a name. With O_DIRECTORY, so that old kernels refuse it. */
export const O_TMPFILE = 0o20000000 | O.DIRECTORY;

/** linkat(2): gives the file that was opened with O_TMPFILE its name at a path of the host; EEXIST where that is taken. */
export function linkDescriptor(fd: number, path: string): void {
  const AT_SYMLINK_FOLLOW = 0x400;
  const name = byteName(path);
  const from = bytes(`/proc/self/fd/${fd}`);
  done(libc().linkat(AT_FDCWD, from, AT_FDCWD, bytes(name, 1), AT_SYMLINK_FOLLOW), "link", name);
}

/** linkat(2) without following links: `to` becomes another name of `from`. */
export function linkName(fromFd: number, from: string, toFd: number, to: string): void {
  done(libc().linkat(fromFd, bytes(from), toFd, bytes(to, 1), 0), "link", to);
}

/** renameat2(2) with RENAME_NOREPLACE: EEXIST where `to` exists. */
export function renameNewName(fromFd: number, from: string, toFd: number, to: string): void {
  const result = syscall(SYS.renameat2, fromFd, bytes(from), toFd, bytes(to, 1), 1);
  done(result, "rename", from);
}

/** unlinkat(2) of a file, or with `folder` of an empty folder. */
export function unlinkName(dirfd: number, name: string, folder: boolean): void {
  done(libc().unlinkat(dirfd, bytes(name), folder ? AT_REMOVEDIR : 0), folder ? "rmdir" : "unlink", name);
}

/** readlinkat(2). */
export function readlinkName(dirfd: number, name: string): string {
  const length = libc().readlinkat(dirfd, bytes(name), shared(), MAX_PATH);
  done(length, "readlink", name);
  return shared().toString("latin1", 0, length);
}

const SECOND = 1_000_000_000n;

/** futimens(3): the modification time (ns since 1970) of an open file; the access time stays. */
export function setTimeFd(fd: number, mtime: bigint): void {
  done(libc().futimens(fd, modificationTimes(mtime)), "futimens", `fd ${fd}`);
}

/** utimensat(2): the modification time (ns since 1970) of what `name` itself is. */
export function setTimeName(dirfd: number, name: string, mtime: bigint): void {
  const result = libc().utimensat(dirfd, bytes(name), modificationTimes(mtime), AT_SYMLINK_NOFOLLOW);
  done(result, "utimensat", name);
}

let sharedBuffer: Buffer | undefined;

function shared(): Buffer {
  sharedBuffer ??= Buffer.alloc(MAX_READ);
  return sharedBuffer;
}

/** What statx(2) tells of a member of a tree. `mtime` in ns since 1970; `mount` is 0 where not known. */
export interface Member {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: bigint;
  readonly major: number;
  readonly minor: number;
  /** Device and inode: equal for two names of one file. */
  readonly file: string;
  readonly mount: bigint;
}

const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const statBytes = new Uint8Array(256);
const statView = new DataView(statBytes.buffer);

/** statx(2) of what `name` itself is, or of `dirfd` itself where it is empty. */
export function statName(dirfd: number, name: string): Member {
  const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  const result = syscall(SYS.statx, dirfd, bytes(name), flags, STATX_BASIC_STATS | STATX_MNT_ID, statBytes);
  done(result, "stat", name);
  const word = (at: number): number => statView.getUint32(at, true);
  return {
    nlink: word(16),
    uid: word(20),
    gid: word(24),
    mode: statView.getUint16(28, true),
    size: Number(statView.getBigUint64(40, true)),
    mtime: statView.getBigInt64(112, true) * SECOND + BigInt(word(120)),
    major: word(128),
    minor: word(132),
    file: `${word(136)}:${word(140)}:${statView.getBigUint64(32, true)}`,
    mount: (word(0) & STATX_MNT_ID) === 0 ? 0n : statView.getBigUint64(144, true),
  };
}

/** The same, or undefined where there is nothing of that name. */
export function statIfAny(dirfd: number, name: string): Member | undefined {
  try {
    return statName(dirfd, name);
  } catch (error) {
    if (error instanceof SysError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The names in an open folder, without `.` and `..`, in byte order. */
export function readNames(fd: number): string[] {
  const buffer = shared();
  const names: string[] = [];
  for (;;) {
    const got = syscall(SYS.getdents64, fd, buffer, buffer.length);
    if (got < 0 && errnoName(errno()) === "ENOENT") return names.sort();
    if (check(got, "getdents64", `fd ${fd}`) === 0) return names.sort();
    for (let at = 0; at < got; at += buffer.readUInt16LE(at + 16)) {
      const name = buffer.toString("latin1", at + 19, buffer.indexOf(0, at + 19));
      if (name !== "." && name !== "..") names.push(name);
    }
  }
}

/** A path for calls that know no `dirfd` (those on extended attributes); only its last part is the tree's own. */
export function pathAt(dirfd: number, name: string): string {
  return dirfd === AT_FDCWD ? name : `/proc/self/fd/${dirfd}/${name}`;
}

const sync = library({ syncfs: "ii" });

/** syncfs(2): everything written so far to the file system that `fd` lies on is on disk when it returns. */
export function syncFilesystem(fd: number): void {
  check(sync().syncfs(fd), "syncfs", `fd ${fd}`);
}
