import { errnoName } from "./errno.ts";
import { check, errno, library } from "./libc.ts";
import { pathAt, readable } from "./tree.ts";

const libc = library({
  lgetxattr: "pppll",
  lsetxattr: "ppplii",
  llistxattr: "ppll",
  fgetxattr: "ippll",
  fsetxattr: "ipplii",
  flistxattr: "ipll",
  lremovexattr: "ppi",
  fremovexattr: "ipi",
});

/** XATTR_SIZE_MAX and XATTR_LIST_MAX (xattr(7)). */
const MAX = 65536;
let names: Buffer | undefined;
let values: Buffer | undefined;

/** A file that is open (not with O_PATH), or a name in a folder that is; a link is not followed. */
export type Target = number | readonly [dirfd: number, name: string];

function cbytes(name: string): Buffer {
  return Buffer.from(`${name}\0`, "latin1");
}

function place(target: readonly [number, string]): Buffer {
  return cbytes(pathAt(target[0], target[1]));
}

function describe(target: Target): string {
  return typeof target === "number" ? `fd ${target}` : readable(target[1]);
}

/** Extended attributes of a file: pairs of name and value, both as byte strings; none where the file system has none. */
export function readXattrs(target: Target): [string, string][] {
  names ??= Buffer.alloc(MAX);
  values ??= Buffer.alloc(MAX);
  const call = libc();
  const path = typeof target === "number" ? undefined : place(target);
  const list = (into: Buffer): number =>
    typeof target === "number"
      ? call.flistxattr(target, into, MAX)
      : call.llistxattr(path ?? null, into, MAX);
  const length = list(names);
  if (length < 0 && errnoName(errno()) === "EOPNOTSUPP") return [];
  check(length, "listxattr", describe(target));
  if (length === 0) return [];
  const found: [string, string][] = [];
  for (const name of names.toString("latin1", 0, length - 1).split("\0")) {
    const key = cbytes(name);
    const size =
      typeof target === "number"
        ? call.fgetxattr(target, key, values, MAX)
        : call.lgetxattr(path ?? null, key, values, MAX);
    if (size < 0 && ["ENODATA", "EOPNOTSUPP"].includes(errnoName(errno()))) continue;
    check(size, "getxattr", `${readable(name)} of ${describe(target)}`);
    found.push([name, values.toString("latin1", 0, size)]);
  }
  return found;
}

/** The value of one extended attribute, or undefined where the file has none of that name. */
export function readXattr(target: Target, name: string): string | undefined {
  values ??= Buffer.alloc(MAX);
  const key = cbytes(name);
  const size =
    typeof target === "number"
      ? libc().fgetxattr(target, key, values, MAX)
      : libc().lgetxattr(place(target), key, values, MAX);
  if (size < 0 && ["ENODATA", "EOPNOTSUPP"].includes(errnoName(errno()))) return undefined;
  check(size, "getxattr", `${readable(name)} of ${describe(target)}`);
  return values.toString("latin1", 0, size);
}

/** Sets one extended attribute; name and value are byte strings. */
export function writeXattr(target: Target, name: string, value: string): void {
  // an empty array has no address, and the kernel wants one even for length 0
  const memory = Buffer.from(value === "" ? "\0" : value, "latin1");
  const key = cbytes(name);
  const result =
    typeof target === "number"
      ? libc().fsetxattr(target, key, memory, value.length, 0)
      : libc().lsetxattr(place(target), key, memory, value.length, 0);
  check(result, "setxattr", `${readable(name)} of ${describe(target)}`);
}

/** Removes one extended attribute, if the file has it. */
export function removeXattr(target: Target, name: string): void {
  const key = cbytes(name);
  const result =
    typeof target === "number" ? libc().fremovexattr(target, key) : libc().lremovexattr(place(target), key);
  if (result < 0 && errnoName(errno()) === "ENODATA") return;
  check(result, "removexattr", `${readable(name)} of ${describe(target)}`);
}
