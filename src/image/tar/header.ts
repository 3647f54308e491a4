import { paxRecord, paxTimeText, xattrKey } from "./pax.ts";

/** A member of a tar to be written; names and xattrs are byte strings, `mtime` is in ns since 1970. */
export interface TarMember {
  readonly name: string;
  readonly type: "0" | "1" | "2" | "3" | "4" | "5" | "6";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow; only with type 0. */
  readonly size: number;
  readonly mtime: bigint;
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly xattrs?: readonly (readonly [name: string, value: string])[];
}

/** Tar works in blocks of so many bytes. */
export const BLOCK = 512;
const MAX_NUMBER = 0o7777777;
const MAX_LONG = 0o77777777777;

/** The number of bytes that fill the last block of `size` bytes. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/**
 * The header blocks of a member (POSIX pax, "ustar Interchange Format"), with a pax header before them for what ustar
 * cannot say: long names, large numbers, fractions of seconds, extended attributes.
 */
export function tarHeader(member: TarMember): Buffer {
  const records = paxRecords(member);
  if (records === "") return ustar(member);
  return Buffer.concat([paxHeader("x", records), ustar(member)]);
}

/** A pax global header (POSIX pax, "ustar typeflag g") with a comment on the archive as a whole; the text is a byte string. */
export function tarComment(comment: string): Buffer {
  return paxHeader("g", paxRecord("comment", comment));
}

function paxHeader(type: "g" | "x", records: string): Buffer {
  const data = Buffer.from(records, "latin1");
  const name = type === "g" ? "pax_global_header" : "PaxHeaders/x";
  const header = ustar({ name, type: "0", mode: 0o644, uid: 0, gid: 0, size: data.length, mtime: 0n }, type);
  return Buffer.concat([header, data, Buffer.alloc(padding(data.length))]);
}

function paxRecords(member: TarMember): string {
  let records = "";
  const seconds = member.mtime / 1_000_000_000n;
  // names that are no UTF-8 go in as the bytes they are: GNU tar and libarchive read them so
  if (member.name.length > 100) records += paxRecord("path", member.name);
  if (member.link !== undefined && member.link.length > 100) records += paxRecord("linkpath", member.link);
  if (member.uid > MAX_NUMBER) records += paxRecord("uid", String(member.uid));
  if (member.gid > MAX_NUMBER) records += paxRecord("gid", String(member.gid));
  if (member.size > MAX_LONG) records += paxRecord("size", String(member.size));
  if (member.mtime < 0n || member.mtime % 1_000_000_000n !== 0n || seconds > BigInt(MAX_LONG))
    records += paxRecord("mtime", paxTimeText(member.mtime));
  for (const [name, value] of member.xattrs ?? []) records += paxRecord(xattrKey(name), value);
  return records;
}

function ustar(member: TarMember, type: string = member.type): Buffer {
  const block = Buffer.alloc(BLOCK);
  const text = (value: string, at: number, length: number): void => {
    block.write(value.slice(0, length), at, "latin1");
  };
  // where the number is too large the pax header has it, and here stands the largest that fits
  const octal = (value: number, at: number, length: number): void =>
    text(
      Math.min(value, 8 ** (length - 1) - 1)
        .toString(8)
        .padStart(length - 1, "0"),
      at,
      length,
    );
  const seconds = Number(member.mtime / 1_000_000_000n);
  text(member.name, 0, 100);
  octal(member.mode & 0o7777, 100, 8);
  octal(member.uid, 108, 8);
  octal(member.gid, 116, 8);
  octal(member.size, 124, 12);
  octal(Math.max(0, seconds), 136, 12);
  text("        ", 148, 8);
  text(type, 156, 1);
  text(member.link ?? "", 157, 100);
  text("ustar\0" + "00", 257, 8);
  octal(member.major ?? 0, 329, 8);
  octal(member.minor ?? 0, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}
