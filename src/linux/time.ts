import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "./file.ts";
import { check, cstr, library } from "./libc.ts";

const libc = library({ localtime_r: "ppp", utimensat: "ippii" });

/**
 * A time of this host's zone as `2026-01-31 12:00:00` (localtime_r(3)). `milliseconds` since 1970. Through libc since
 * JavaScript's own local time costs 3 ms the first time: it loads a time zone database.
 */
export function localTime(milliseconds: number): string {
  const seconds = new BigUint64Array([BigInt(Math.floor(milliseconds / 1000))]);
  // struct tm: sec, min, hour, mday, mon, year since 1900, …
  const tm = new Uint32Array(16);
  libc().localtime_r(seconds, tm);
  const [second = 0, minute = 0, hour = 0, day = 0, month = 0, year = 0] = tm;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${year + 1900}-${two(month + 1)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
}

const SECOND = 1_000_000_000n;
const UTIME_OMIT = 0x3ffffffen;
const times = new BigInt64Array([0n, UTIME_OMIT, 0n, 0n]);

/** The times of utimensat(2) that set the modification time (ns since 1970) and leave the access time; until the next call. */
export function modificationTimes(mtime: bigint): BigInt64Array {
  const below = ((mtime % SECOND) + SECOND) % SECOND;
  times[2] = (mtime - below) / SECOND;
  times[3] = below;
  return times;
}

/** utimensat(2) without following links: the modification time, in ns since 1970. */
export function setTime(path: string, mtime: bigint): void {
  const result = libc().utimensat(AT_FDCWD, cstr(path), modificationTimes(mtime), AT_SYMLINK_NOFOLLOW);
  check(result, "utimensat", path);
}
