import { BLOCK, padding } from "../../../src/image/tar/header.ts";
import { paxRecord } from "../../../src/image/tar/pax.ts";
import { members, type Part } from "../support.ts";

/** A header block's fields, written over: offset and bytes. The checksum is made right. */
export function edited(header: Buffer, changes: Readonly<Record<number, string | Buffer>>): Buffer {
  const copy = Buffer.from(header);
  for (const [at, bytes] of Object.entries(changes))
    copy.set(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, Number(at));
  return checked(copy);
}

/** The same bytes with the checksum of the first block made right. */
export function checked(tar: Buffer): Buffer {
  tar.write("        ", 148, "latin1");
  const sum = tar.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return tar;
}

/** A member with its first header block changed. */
export function member(part: Part, changes: Readonly<Record<number, string | Buffer>> = {}): Buffer {
  return edited(members(part), changes);
}

/** A pax header with these records (byte strings), for the member that follows; or with type "g" for all. */
export function pax(records: readonly (readonly [string, string])[], type = "x"): Buffer {
  const data = records.map(([key, value]) => paxRecord(key, value)).join("");
  return member({ name: "pax", data: Buffer.from(data, "latin1") }, { 156: type });
}

/** A number in GNU's base-256, in a field of so many bytes. */
export function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let at = length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 255n);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
}

/** Blocks as a whole archive. */
export function archive(...blocks: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** Bytes with what fills their last block. */
export function filled(data: Uint8Array): Buffer {
  return Buffer.concat([data, Buffer.alloc(padding(data.length))]);
}
