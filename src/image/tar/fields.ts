/** Tar's header block: where a field begins, and how long it is (POSIX pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"). */
export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

type Place = readonly [at: number, length: number];

/** A text field, up to its first NUL, as bytes. */
export function textField(block: Uint8Array, [at, length]: Place): string {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return latin1(block.subarray(at, end));
}

/** Bytes as a byte string. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/**
 * A number: octal digits with blanks or NULs around them, or GNU's base-256 (two's complement, the first bit set). An empty
 * field is 0; undefined where it is no number, or one that JavaScript cannot hold.
 */
export function numberField(block: Uint8Array, [at, length]: Place): number | undefined {
  const end = at + length;
  if (((block[at] ?? 0) & 0x80) !== 0) return binary(block.subarray(at, end));
  let here = at;
  while (here < end && isBlank(block[here])) here++;
  let value = 0;
  for (; here < end && !isBlank(block[here]); here++) {
    const digit = (block[here] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) return undefined;
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

function binary(bytes: Uint8Array): number | undefined {
  // the first bit only says that it is binary: the one after it is the sign
  const width = bytes.length * 8 - 1;
  let value = BigInt((bytes[0] ?? 0) & 0x7f);
  for (const byte of bytes.subarray(1)) value = value * 256n + BigInt(byte);
  const signed = Number(BigInt.asIntN(width, value));
  return Number.isSafeInteger(signed) ? signed : undefined;
}

/** Whether a header block is one: its checksum, be it made of unsigned bytes or, as some old writers did, of signed ones. */
export function isHeader(block: Uint8Array): boolean {
  const [from, length] = FIELD.checksum;
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let at = 0; at < block.length; at++) {
    if (at >= from && at < from + length) continue;
    const byte = block[at] ?? 0;
    unsigned += byte;
    if (byte > 127) high++;
  }
  const said = numberField(block, FIELD.checksum);
  return said === unsigned || said === unsigned - 256 * high;
}

/** Whether a block is only zeros. */
export function isZero(block: Uint8Array): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}
