import { AT_EMPTY_PATH, AT_FDCWD, close } from "./file.ts";
import { check, cstr, library, SYS, syscall } from "./libc.ts";

const libc = library({
  mount: "ppplpi",
  umount2: "pii",
  pivot_root: "ppi",
  unshare: "ii",
  setns: "iii",
  chdir: "pi",
  fchdir: "ii",
  mknodat: "ipili",
});

/** Flags of mount(2). */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  REMOUNT: 32,
  DIRSYNC: 128,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
} as const;

/** Attributes of mount_setattr(2). */
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;

export const MNT_DETACH = 2;

/** Namespaces, as clone(2), unshare(2) and setns(2) name them. */
export const CLONE = {
  FS: 0x200,
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const;

const MOUNT_ATTR_IDMAP = 0x100000n;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

/** mount(2). `source` and `data` may be empty. */
export function mount(source: string, target: string, type: string, flags: number, data = ""): void {
  const result = libc().mount(cstr(source), cstr(target), cstr(type), flags, data === "" ? null : cstr(data));
  check(result, "mount", `${type || source} on ${target}`);
}

/** umount2(2). */
export function umount(target: string, flags: number): void {
  check(libc().umount2(cstr(target), flags), "umount", target);
}

/** The path by which this process reaches what `fd` is open on, for calls that know no descriptors. */
export function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `fd` (with those below it). */
export function cloneTree(fd: number, recursive: boolean): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  return check(syscall(SYS.open_tree, fd, cstr(""), flags), "open_tree", `fd ${fd}`);
}

/** move_mount(2): attaches the detached mount `tree` to the place that `target` is open on. */
export function attachTree(tree: number, target: number): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  check(syscall(SYS.move_mount, tree, cstr(""), target, cstr(""), flags), "move_mount", `to fd ${target}`);
}

/** move_mount(2) of what is mounted at the host's `path` to the place that `target` is open on. */
export function moveMount(path: string, target: number): void {
  const result = syscall(SYS.move_mount, AT_FDCWD, cstr(path), target, cstr(""), MOVE_MOUNT_T_EMPTY_PATH);
  check(result, "move_mount", `${path} to fd ${target}`);
}

/** mount_setattr(2) on a mount: attributes to set, and a propagation type (MS.PRIVATE …) or 0. */
export function setMountAttributes(tree: number, set: number, propagation: number, recursive: boolean): void {
  const attr = new BigUint64Array([BigInt(set), 0n, BigInt(propagation), 0n]);
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  check(syscall(SYS.mount_setattr, tree, cstr(""), flags, attr, 32), "mount_setattr", `fd ${tree}`);
}

/** mount_setattr(2): lets a detached mount show its files as those of a user namespace's users (MOUNT_ATTR_IDMAP). */
export function mapIds(tree: number, userNamespace: number, recursive: boolean): void {
  const attr = new BigUint64Array([MOUNT_ATTR_IDMAP, 0n, 0n, BigInt(userNamespace)]);
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  check(syscall(SYS.mount_setattr, tree, cstr(""), flags, attr, 32), "mount_setattr", `idmap of fd ${tree}`);
}

/** fsopen(2), fsconfig(2), fsmount(2): a new file system, mounted nowhere yet; a descriptor of its root. */
export function newFilesystem(type: string, options: Record<string, string>, attributes: number): number {
  const fs = check(syscall(SYS.fsopen, cstr(type), 1), "fsopen", type);
  try {
    for (const [key, value] of Object.entries(options))
      check(syscall(SYS.fsconfig, fs, 1, cstr(key), cstr(value)), "fsconfig", `${type} ${key}=${value}`);
    check(syscall(SYS.fsconfig, fs, 6), "fsconfig", `${type} create`);
    return check(syscall(SYS.fsmount, fs, 1, attributes), "fsmount", type);
  } finally {
    close(fs);
  }
}

/** pivot_root(2) to the current folder, which leaves the old root mounted on top of it. */
export function pivotToCurrent(): void {
  const here = cstr(".");
  check(libc().pivot_root(here, here), "pivot_root", ".");
}

/** unshare(2). */
export function unshare(flags: number): void {
  check(libc().unshare(flags), "unshare", `0x${flags.toString(16)}`);
}

/** setns(2) with a namespace's descriptor, or a pidfd and the namespaces wanted of it. */
export function setns(fd: number, kinds: number): void {
  check(libc().setns(fd, kinds), "setns", `0x${kinds.toString(16)}`);
}

/** chdir(2). */
export function chdir(path: string): void {
  check(libc().chdir(cstr(path)), "chdir", path);
}

/** fchdir(2). */
export function fchdir(fd: number): void {
  check(libc().fchdir(fd), "fchdir", `fd ${fd}`);
}

/** mknodat(2): a device node or FIFO; mode with its file type bits. */
export function mknod(dirfd: number, name: string, mode: number, major = 0, minor = 0): void {
  const device = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
  check(libc().mknodat(dirfd, cstr(name), mode, device), "mknod", name);
}
