import { readable } from "../../linux/tree.ts";
import { aclValue } from "./acl.ts";
import { ArchiveError } from "./archive-error.ts";
import { FIELD, numberField, textField } from "./fields.ts";
import type { Limits } from "./limits.ts";
import { type PaxRecords, paxTime, xattrOf } from "./pax.ts";
import type { SparseMap } from "./sparse.ts";
import type { Metadata } from "./tree-writer.ts";

/** What kind of thing a member is. */
export type Kind =
  | "file"
  | "folder"
  | "symlink"
  | "link"
  | "character-device"
  | "block-device"
  | "fifo"
  | "other";

/** A member as its header blocks tell it, all of them. Names are byte strings. */
export interface Entry {
  readonly name: string;
  readonly kind: Kind;
  /** Bytes of content that follow; of a sparse file, those that are stored. */
  readonly length: number;
  readonly sparse: SparseMap | undefined;
  readonly header: Uint8Array;
  readonly records: PaxRecords;
  readonly link: string;
}

/** What stands before a member's own header, about it alone. */
export interface Before {
  readonly records: PaxRecords;
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  S: "file",
  "1": "link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "folder",
  // GNU tar's incremental backups: its content is a list of names
  D: "folder",
  "6": "fifo",
};

/** Types that have no content, whatever their size field says (archive/tar of Go does so, and with it Docker). */
const NO_CONTENT = new Set(["1", "2", "3", "4", "5", "6"]);

/** A member's name and kind. */
export function describeEntry(
  header: Uint8Array,
  { records, longName, longLink }: Before,
): Pick<Entry, "name" | "kind" | "link"> {
  const name = given(records, "GNU.sparse.name") ?? longName ?? given(records, "path") ?? ownName(header);
  const kind = KINDS[typeOf(header)] ?? "other";
  return {
    name,
    // before ustar there was no type for folders
    kind: kind === "file" && name.endsWith("/") ? "folder" : kind,
    link: longLink ?? given(records, "linkpath") ?? textField(header, FIELD.link),
  };
}

/** The header's type, one character. */
export function typeOf(header: Uint8Array): string {
  return String.fromCharCode(header[FIELD.type[0]] ?? 0);
}

/** The bytes of content that follow a header. */
export function lengthOf(header: Uint8Array, records: PaxRecords): number {
  if (NO_CONTENT.has(typeOf(header))) return 0;
  const text = given(records, "size");
  const size = text === undefined ? numberField(header, FIELD.size) : wholeNumber(text);
  if (size === undefined || size < 0) throw new ArchiveError("its size is not a valid number");
  return size;
}

/** A record's value. One of no length takes back what an earlier header said (POSIX pax). */
export function given(records: PaxRecords, key: string): string | undefined {
  return records.get(key) || undefined;
}

function wholeNumber(text: string): number | undefined {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A header's own name, with ustar's prefix before it; star's is shorter, as two times follow it. */
function ownName(header: Uint8Array): string {
  const name = textField(header, FIELD.name);
  if (textField(header, [FIELD.magic[0], 6]) !== "ustar") return name;
  const [at, length] = FIELD.prefix;
  const star = header[508] === 0x74 && header[509] === 0x61 && header[510] === 0x72 && header[511] === 0;
  const prefix = textField(header, [at, star ? 131 : length]);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Owner, mode, time and extended attributes of a member. ArchiveError where they are none, or above the limits. */
export function metadataOf({ header, records }: Entry, limits: Limits): Metadata {
  const owner = (key: "uid" | "gid"): number => {
    const text = given(records, key);
    const value = text === undefined ? numberField(header, FIELD[key]) : wholeNumber(text);
    // chown(2) takes 32 bits, and -1 would mean "leave as it is"
    return inRange(value, 0xfffffffe, key);
  };
  const mode = numberField(header, FIELD.mode);
  return {
    mode: inRange(mode, Number.MAX_SAFE_INTEGER, "mode") & 0o7777,
    uid: owner("uid"),
    gid: owner("gid"),
    mtime: timeOf(header, records),
    xattrs: xattrsOf(records, limits),
  };
}

/** A device's numbers. */
export function deviceOf(header: Uint8Array): readonly [major: number, minor: number] {
  // what the kernel's new_encode_dev() has room for
  const major = inRange(numberField(header, FIELD.major), 0xfff, "device number");
  return [major, inRange(numberField(header, FIELD.minor), 0xfffff, "device number")];
}

function inRange(value: number | undefined, most: number, what: string): number {
  if (value === undefined || value < 0 || value > most)
    throw new ArchiveError(`its ${what} is not a valid number`);
  return value;
}

function timeOf(header: Uint8Array, records: PaxRecords): bigint {
  const text = given(records, "mtime");
  if (text === undefined) {
    const seconds = numberField(header, FIELD.mtime);
    if (seconds !== undefined) return BigInt(seconds) * 1_000_000_000n;
  } else {
    const time = paxTime(text);
    if (time !== undefined) return time;
  }
  throw new ArchiveError("its mtime is not a valid number");
}

const ACLS: Readonly<Record<string, string>> = {
  "SCHILY.acl.access": "system.posix_acl_access",
  "SCHILY.acl.default": "system.posix_acl_default",
};

function xattrsOf(records: PaxRecords, limits: Limits): (readonly [string, string])[] {
  if (records.size === 0) return [];
  const found = new Map<string, string>();
  let bytes = 0;
  for (const [key, value] of records) {
    const acl = ACLS[key];
    const pair =
      acl === undefined ? xattrOf(key, value) : value === "" ? undefined : ([acl, aclValue(value)] as const);
    if (pair === undefined) continue;
    found.set(...pair);
    bytes += pair[0].length + pair[1].length;
    checkXattr(...pair);
  }
  if (bytes > limits.xattrs)
    throw new ArchiveError(`its extended attributes have more than ${limits.xattrs} bytes`);
  return [...found];
}

/** XATTR_NAME_MAX and XATTR_SIZE_MAX (xattr(7)). */
function checkXattr(name: string, value: string): void {
  if (name.length > 255 || value.length > 65536)
    throw new ArchiveError(
      `its extended attribute ${JSON.stringify(readable(name.slice(0, 64)))} is larger than Linux allows`,
    );
}
