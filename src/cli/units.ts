import { UsageError } from "./errors.ts";

const BINARY: Record<string, number> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };
const MINIMUM_MEMORY = 6 << 20;

/** A size as Docker reads it (`6m`, `1.5g`, `512kb`, `1GiB`), in bytes; units are powers of 1024. */
export function parseSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?(?:(b)|([kmgtp])(?:i?b)?)?$/i.exec(text);
  const size = Math.floor(Number(match?.[1]) * 1024 ** (BINARY[(match?.[3] ?? "b").toLowerCase()] ?? 0));
  if (!match || !Number.isSafeInteger(size))
    throw new UsageError(`invalid size: '${text}': use a number with b, k, m or g, such as 64m`);
  return size;
}

/** --memory (or another limit, `what`) in bytes; Docker's minimum is 6 MB. Zero is no limit, here and below, as with Docker. */
export function parseMemory(text: string, what = "memory limit"): number | undefined {
  const size = parseSize(text);
  if (size === 0) return undefined;
  if (size < MINIMUM_MEMORY)
    throw new UsageError(`invalid ${what} '${text}': minimum ${what} allowed is 6MB`);
  return size;
}

/** --cpus as billionths of a CPU, between 0.01 and the number of CPUs. */
export function parseCpus(text: string, available: number): number | undefined {
  if (!/^[0-9]+(\.[0-9]+)?$|^\.[0-9]+$/.test(text))
    throw new UsageError(`invalid number of CPUs '${text}': use a number such as 1.5`);
  const cpus = Number(text);
  if (cpus === 0) return undefined;
  if (cpus < 0.01 || cpus > available)
    throw new UsageError(
      `invalid number of CPUs '${text}': range of CPUs is from 0.01 to ${available}.00, as there are only ${available} CPUs available`,
    );
  return Math.round(cpus * 1e9);
}

/** --cpu-shares: 2 to 262144, what the kernel takes. */
export function parseShares(text: string): number | undefined {
  const shares = Number(text);
  if (!/^[0-9]+$/.test(text))
    throw new UsageError(`invalid CPU shares '${text}': use a whole number such as 512`);
  if (shares === 0) return undefined;
  if (shares < 2 || shares > 262144)
    throw new UsageError(`invalid CPU shares '${text}': the minimum is 2, the maximum 262144`);
  return shares;
}

/** --cpuset-cpus and -mems: `0-2,5`; whether those CPUs (or nodes, `what`) are there is the kernel's to say. */
export function parseCpuset(text: string, what = "CPUs"): string {
  const wrong = new UsageError(`invalid list of ${what} '${text}': use numbers and ranges such as 0-1,3`);
  for (const part of text.split(",")) {
    const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(part);
    if (!match || (match[2] !== undefined && Number(match[2]) < Number(match[1]))) throw wrong;
  }
  return text;
}

const GO_UNITS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A duration as Go writes it (`1h30m`, `1.5s`), in nanoseconds; undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(number) * (GO_UNITS[unit ?? ""] ?? 0);
  return sum;
}

/** --since: RFC 3339, a date, seconds since 1970 (with a fraction), or a duration before `now` (ms); in nanoseconds. */
export function parseTimestamp(text: string, now: number): bigint {
  const duration = parseDuration(text);
  if (duration !== undefined) return BigInt(now) * 1_000_000n - BigInt(Math.round(duration));
  const unix = /^([0-9]+)(?:\.([0-9]{1,9}))?$/.exec(text);
  if (unix) return BigInt(unix[1] ?? 0) * 1_000_000_000n + BigInt((unix[2] ?? "").padEnd(9, "0"));
  const date =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2})?)?)?)(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})?$/.exec(
      text,
    );
  // JavaScript takes a date alone for UTC, and no hour alone
  const [day = "", clock = "00:00"] = date?.[1]?.split("T") ?? [];
  const time = clock.length === 2 ? `${clock}:00` : clock;
  const milliseconds = date ? Date.parse(`${day}T${time}${date[3] ?? ""}`) : Number.NaN;
  if (Number.isNaN(milliseconds))
    throw new UsageError(
      `invalid time '${text}': use 2026-01-31T12:00:00Z, seconds since 1970, or a duration such as 10m`,
    );
  return BigInt(milliseconds) * 1_000_000n + BigInt((date?.[2] ?? "").padEnd(9, "0"));
}

const DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB"];
const BY_1024 = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes as Docker shows sizes: units of 1000, four significant digits (`1.234MB`), or as many as asked for. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, DECIMAL, digits);
}

/** Bytes as Docker shows memory: units of 1024, four significant digits (`1.5MiB`). */
export function humanMemory(bytes: number): string {
  return scaled(bytes, 1024, BY_1024, 4);
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return `${Number(size.toPrecision(digits))}${units[unit]}`;
}

/** A span in milliseconds as Docker says it ("Less than a second", "About a minute", "3 hours"). */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(milliseconds / 3_600_000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}
