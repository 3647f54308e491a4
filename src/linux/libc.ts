import { dlopen, type FFIFunction, FFIType, ptr, read } from "bun:ffi";
import { SysError } from "./errno.ts";
import { toBytes } from "./text.ts";

/** libc's file name: glibc's, or musl's loader on a musl build (decided at build time). */
declare const LIBC_NAME: string | undefined;
const LIBC = typeof LIBC_NAME === "string" ? LIBC_NAME : "libc.so.6";

/** What an FFI argument may be: a number, a pointer held as a number, a 64-bit integer, or memory of ours. */
export type Arg = number | bigint | Uint8Array | Uint32Array | BigUint64Array | BigInt64Array | null;
type Call = (...args: Arg[]) => number;

/** The functions that are loaded, by name; and the signatures of those that are not yet. */
const loaded: Record<string, Call> = {};
let wanted: Record<string, string> = {};
let anyWanted = false;

/**
 * Functions of libc, loaded the first time any is needed: all at once that any module has asked for by then, since each
 * dlopen costs 0.07 ms and each further function of it 0.008 ms.
 * A signature has a letter for each argument and a last one for the result: `i` a C int, `l` a C long or
 * size_t, `p` a pointer. A function has one signature, whoever asks for it.
 */
export function library<N extends string>(signatures: Record<N, string>): () => Record<N, Call> {
  Object.assign(wanted, signatures);
  anyWanted = true;
  return () => {
    if (anyWanted) load();
    return loaded as Record<N, Call>;
  };
}

function load(): void {
  const chosen: Record<string, FFIFunction> = {};
  for (const name in wanted) if (loaded[name] === undefined) chosen[name] = describe(wanted[name] ?? "");
  Object.assign(loaded, dlopen(LIBC, chosen).symbols);
  wanted = {};
  anyWanted = false;
}

const TYPES: Readonly<Record<string, FFIType>> = { i: FFIType.i32, l: FFIType.i64_fast, p: FFIType.ptr };

function describe(signature: string): FFIFunction {
  const args: FFIType[] = [];
  for (const letter of signature) args.push(TYPES[letter] ?? FFIType.ptr);
  const returns = args.pop() ?? FFIType.i32;
  return { args, returns };
}

const base = library({ syscall: "llllllll", __errno_location: "p" });
let errnoAt: number | undefined;

/** The calling thread's errno (errno(3)); only meaningful right after a call that failed. */
export function errno(): number {
  errnoAt ??= base().__errno_location();
  return read.i32(errnoAt as unknown as Parameters<typeof read.i32>[0], 0);
}

/** The result of a call, or a SysError that names the call, what it was about and the errno. */
export function check(result: number, syscall: string, detail = ""): number {
  if (result >= 0) return result;
  throw new SysError(syscall, detail, errno());
}

/** The address of `memory`, for a pointer inside another structure. Keep `memory` referenced until the call. */
export function address(memory: Uint8Array | Uint32Array | BigUint64Array): number {
  return ptr(memory) as unknown as number;
}

/** A path or name: text, or the bytes that a folder gave (NUL-terminated), which need not be UTF-8. */
export type Name = string | Uint8Array;

/** A NUL-terminated C string. Throws EINVAL where the text itself holds a NUL. */
export function cstr(text: Name): Uint8Array {
  if (typeof text !== "string") return text;
  if (text.includes("\0")) throw new SysError("string", JSON.stringify(text), 22);
  return toBytes(`${text}\0`);
}

type Slot = number | Uint8Array | Uint32Array | BigUint64Array;

/** syscall(2), for calls that old C libraries have no function for. Memory arguments are passed by address. */
export function syscall(
  number: number,
  a: Slot = 0,
  b: Slot = 0,
  c: Slot = 0,
  d: Slot = 0,
  e: Slot = 0,
  f: Slot = 0,
): number {
  const slot = (value: Slot): number => (typeof value === "number" ? value : address(value));
  return base().syscall(number, slot(a), slot(b), slot(c), slot(d), slot(e), slot(f));
}

const arm64 = process.arch === "arm64";

/** System call numbers: those up to 334 differ by architecture, the later ones are common to all. */
export const SYS = {
  lseek: arm64 ? 62 : 8,
  pwrite64: arm64 ? 68 : 18,
  getdents64: arm64 ? 61 : 217,
  prctl: arm64 ? 167 : 157,
  prlimit64: arm64 ? 261 : 302,
  sendmsg: arm64 ? 211 : 46,
  recvmsg: arm64 ? 212 : 47,
  memfd_create: arm64 ? 279 : 319,
  statx: arm64 ? 291 : 332,
  renameat2: arm64 ? 276 : 316,
  bpf: arm64 ? 280 : 321,
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  openat2: 437,
  mount_setattr: 442,
} as const;
