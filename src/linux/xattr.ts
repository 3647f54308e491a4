import { errnoName } from "./errno.ts";
import { check, cstr, errno, library } from "./libc.ts";

const libc = library({
  lgetxattr: "pppll",
  lsetxattr: "ppplii",
  llistxattr: "ppll",
  fgetxattr: "ippll",
  fsetxattr: "ipplii",
  flistxattr: "ipll",
});

const decoder = new TextDecoder();

/** The extended attribute names of an open file (flistxattr(2)); none where the file system has no xattrs. */
export function listXattrs(fd: number): string[] {
  const buffer = new Uint8Array(65536);
  const length = libc().flistxattr(fd, buffer, buffer.length);
  if (length < 0 && errnoName(errno()) === "EOPNOTSUPP") return [];
  check(length, "flistxattr", `fd ${fd}`);
  return decoder.decode(buffer.subarray(0, length)).split("\0").slice(0, -1);
}

/** The value of an extended attribute of an open file, or undefined where it has none of that name. */
export function getXattr(fd: number, name: string): Uint8Array | undefined {
  const buffer = new Uint8Array(65536);
  const length = libc().fgetxattr(fd, cstr(name), buffer, buffer.length);
  return bytesOf(length, buffer, "fgetxattr", name);
}

/** lgetxattr(2) of a path whose folders are trusted (or /proc/self/fd/N/name); the last link is not followed. */
export function getXattrAt(path: string, name: string): Uint8Array | undefined {
  const buffer = new Uint8Array(65536);
  return bytesOf(libc().lgetxattr(cstr(path), cstr(name), buffer, buffer.length), buffer, "lgetxattr", name);
}

function bytesOf(length: number, buffer: Uint8Array, call: string, name: string): Uint8Array | undefined {
  if (length < 0 && ["ENODATA", "EOPNOTSUPP"].includes(errnoName(errno()))) return undefined;
  check(length, call, name);
  return buffer.slice(0, length);
}

/** The names of the extended attributes of what `path` itself is (llistxattr(2)). */
export function listXattrsAt(path: string): string[] {
  const buffer = new Uint8Array(65536);
  const length = libc().llistxattr(cstr(path), buffer, buffer.length);
  if (length < 0 && errnoName(errno()) === "EOPNOTSUPP") return [];
  check(length, "llistxattr", path);
  return decoder.decode(buffer.subarray(0, length)).split("\0").slice(0, -1);
}

/** fsetxattr(2). */
export function setXattr(fd: number, name: string, value: Uint8Array): void {
  check(libc().fsetxattr(fd, cstr(name), pointerTo(value), value.length, 0), "fsetxattr", name);
}

/** lsetxattr(2) of a path whose folders are trusted; the last link is not followed. */
export function setXattrAt(path: string, name: string, value: Uint8Array): void {
  check(libc().lsetxattr(cstr(path), cstr(name), pointerTo(value), value.length, 0), "lsetxattr", name);
}

/** An empty array has no address; the kernel wants some address with length 0. */
function pointerTo(value: Uint8Array): Uint8Array {
  return value.length === 0 ? new Uint8Array(1) : value;
}
