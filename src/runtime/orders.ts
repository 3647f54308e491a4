import { toBytes } from "../linux/text.ts";
import { FIELDS, type FieldKind, fieldSize } from "./wire.ts";

type ValueOf<K extends FieldKind> = K extends "u32"
  ? number
  : K extends "u64"
    ? bigint
    : K extends "text"
      ? string
      : K extends "texts"
        ? readonly string[]
        : ArrayLike<number>;

/** The orders of one shim process; what is left out is zero or empty. */
export type Orders = { -readonly [F in keyof typeof FIELDS]?: ValueOf<(typeof FIELDS)[F]> };

/** The orders as the shim reads them: the fixed fields, then what they point to. An empty text counts 0. */
export function encodeOrders(orders: Orders): Uint8Array {
  const fields = Object.entries(FIELDS) as [keyof typeof FIELDS, FieldKind][];
  const fixed = fields.reduce((size, [, kind]) => size + fieldSize(kind), 0);
  const parts: Uint8Array[] = [];
  let end = fixed;
  const append = (bytes: Uint8Array): number => {
    const at = end;
    const padded = new Uint8Array((bytes.length + 3) & ~3);
    padded.set(bytes);
    parts.push(padded);
    end += padded.length;
    return at;
  };
  const head = new DataView(new ArrayBuffer(fixed));
  let at = 0;
  for (const [name, kind] of fields) {
    const value = orders[name];
    if (typeof value === "number") head.setUint32(at, value, true);
    else if (typeof value === "bigint") head.setBigUint64(at, value, true);
    else if (value !== undefined) {
      const [bytes, count] = encodeSpan(value);
      head.setUint32(at, append(bytes), true);
      head.setUint32(at + 4, count, true);
    }
    at += fieldSize(kind);
  }
  // not Buffer.concat: the first use of Buffer costs 0.1 ms
  const whole = new Uint8Array(end);
  whole.set(new Uint8Array(head.buffer));
  let to = fixed;
  for (const part of parts) {
    whole.set(part, to);
    to += part.length;
  }
  return whole;
}

function encodeSpan(value: string | readonly string[] | ArrayLike<number>): [Uint8Array, number] {
  const texts = typeof value === "string" ? [value] : isNumbers(value) ? [] : value;
  for (const text of texts)
    if (text.includes("\0")) throw new TypeError(`a text with a NUL character: ${JSON.stringify(text)}`);
  if (typeof value === "string") return [toBytes(`${value}\0`), value === "" ? 0 : 1];
  if (isNumbers(value)) return [new Uint8Array(new Uint32Array(value).buffer), value.length];
  return [toBytes(value.map((text) => `${text}\0`).join("")), value.length];
}

function isNumbers(value: readonly string[] | ArrayLike<number>): value is ArrayLike<number> {
  return typeof value[0] === "number";
}
