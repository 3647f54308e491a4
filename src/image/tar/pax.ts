import { ArchiveError } from "./archive-error.ts";

/** The records of a pax extended header; keys and values are byte strings (one character for each byte). */
export type PaxRecords = ReadonlyMap<string, string>;

/**
 * Reads a pax header's data (POSIX pax, "pax Extended Header"): `LENGTH KEY=VALUE\n`, again and again.
 * Values stay bytes, as file capabilities are not text. Throws ArchiveError where it is malformed.
 */
export function readPax(data: Uint8Array, into: Map<string, string>): void {
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString("latin1");
  for (let at = 0; at < text.length; ) {
    const blank = text.indexOf(" ", at);
    const digits = blank < 0 ? "" : text.slice(at, blank);
    const end = at + Number(digits);
    const equals = text.indexOf("=", blank);
    const good = /^[0-9]{1,9}$/.test(digits) && end <= text.length && text[end - 1] === "\n";
    if (!good || equals < 0 || equals >= end) throw new ArchiveError("a pax header is malformed");
    keep(text.slice(blank + 1, equals), text.slice(equals + 1, end - 1), into);
    at = end;
  }
}

/** A sparse file's map in GNU's format 0.0: two records for each piece, in turn. It becomes one record, as in format 0.1. */
const PIECES = ["GNU.sparse.offset", "GNU.sparse.numbytes"];
const SPARSE_MAP = "GNU.sparse.map";

function keep(key: string, value: string, into: Map<string, string>): void {
  if (!PIECES.includes(key)) {
    into.set(key, value);
    return;
  }
  const before = into.get(SPARSE_MAP);
  into.set(SPARSE_MAP, before === undefined ? value : `${before},${value}`);
}

/** One record of a pax header; its length counts itself. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** A pax time, `-1.5` or `1700000000.123456789`, as nanoseconds since 1970; undefined where it is none. */
export function paxTime(text: string): bigint | undefined {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, seconds = "0", fraction = ""] = match;
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -value : value;
}

/** Nanoseconds since 1970 as a pax time. */
export function paxTimeText(time: bigint): string {
  const size = time < 0n ? -time : time;
  const fraction = String(size % 1_000_000_000n).padStart(9, "0");
  return `${time < 0n ? "-" : ""}${size / 1_000_000_000n}.${fraction}`;
}

const XATTR = "SCHILY.xattr.";

/** The pax key of an extended attribute. As with GNU tar `=` and `%` are escaped, as a key ends at the first `=`. */
export function xattrKey(name: string): string {
  return `${XATTR}${name.replaceAll("%", "%25").replaceAll("=", "%3D")}`;
}

/** libarchive's own: the name escaped as in an address, the value in base64. */
const LIBARCHIVE = "LIBARCHIVE.xattr.";

/** The extended attribute that a record is for, its name and value as byte strings; undefined for other records. */
export function xattrOf(key: string, value: string): readonly [name: string, value: string] | undefined {
  if (key.startsWith(XATTR))
    return [key.slice(XATTR.length).replaceAll("%3D", "=").replaceAll("%25", "%"), value];
  if (!key.startsWith(LIBARCHIVE)) return undefined;
  const byte = (_: string, digits: string): string => String.fromCharCode(Number.parseInt(digits, 16));
  const name = key.slice(LIBARCHIVE.length).replace(/%([0-9A-Fa-f]{2})/g, byte);
  return [name, Buffer.from(value, "base64").toString("latin1")];
}
