import { library } from "./libc.ts";

const libc = library({ localtime_r: "ppp" });

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
