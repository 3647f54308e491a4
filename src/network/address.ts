/** An address range: `bytes` are 4 (IPv4) or 16 (IPv6), those behind `prefix` bits are zero. */
export interface Subnet {
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

/**
 * An address as text, as its 4 or 16 bytes; undefined where it is none. IPv4 is four decimal numbers without leading
 * zeros, which some readers take for octal; IPv6 is what RFC 4291, section 2.2 has, without a zone.
 */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parse6(text) : parse4(text);
}

function parse4(text: string): Uint8Array | undefined {
  if (!/^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/.test(text)) return undefined;
  const numbers = text.split(".").map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

function parse6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [front, back] = halves.map((half, i) => groups(half, i === halves.length - 1));
  if (!front || (halves.length === 2 && !back)) return undefined;
  const length = front.length + (back?.length ?? 0);
  // :: stands for at least one group
  if (halves.length === 1 ? length !== 16 : length > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(front);
  if (back) bytes.set(back, 16 - back.length);
  return bytes;
}

/** Groups of hexadecimal digits as bytes; the last may be an IPv4 address where `isEnd`. */
function groups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const bytes: number[] = [];
  for (const [i, part] of parts.entries()) {
    const embedded = isEnd && i === parts.length - 1 && part.includes(".") ? parse4(part) : undefined;
    if (embedded) bytes.push(...embedded);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}

/** An address as text: IPv6 in the one form of RFC 5952 (with IPv4-mapped ones as in its section 5). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const hex = (from: number, to: number): string =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(":");
  const { start, length } = longestZeros(words);
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => i > 11 || byte === (i < 10 ? 0 : 0xff));
}

/** The first of the longest runs of zeros. */
function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [i, word] of words.entries()) {
    if (word !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  }
  return best;
}

/** `10.1.2.3/16` as an address, whose host bits are kept, and a prefix; undefined where it is none. */
export function parseCidr(
  text: string,
): { readonly address: Uint8Array; readonly prefix: number } | undefined {
  const [, host, digits] = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  const address = parseAddress(host ?? "");
  const prefix = Number(digits);
  return address && prefix <= address.length * 8 ? { address, prefix } : undefined;
}

/** The subnet of `prefix` bits that `address` lies in. */
export function subnetOf(address: Uint8Array, prefix: number): Subnet {
  const kept = (i: number): number => Math.min(Math.max(prefix - 8 * i, 0), 8);
  return { bytes: address.map((byte, i) => byte & (0xff00 >> kept(i))), prefix };
}

/** `10.1.0.0/16` as a subnet; host bits are cleared. Undefined where it is none. */
export function parseSubnet(text: string): Subnet | undefined {
  const cidr = parseCidr(text);
  return cidr && subnetOf(cidr.address, cidr.prefix);
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.bytes)}/${subnet.prefix}`;
}

/** Whether `address` lies in `subnet`; one of the other family does not. */
export function contains(subnet: Subnet, address: Uint8Array): boolean {
  return (
    address.length === subnet.bytes.length &&
    subnetOf(address, subnet.prefix).bytes.every((byte, i) => byte === subnet.bytes[i])
  );
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return a.prefix < b.prefix ? contains(a, b.bytes) : contains(b, a.bytes);
}

/** The network's address plus `n`, which is less than subnetSize and no more than a number can hold exactly. */
export function nthAddress({ bytes }: Subnet, n: number): Uint8Array {
  const address = bytes.slice();
  // no BigInt: this is on the way of each start, and the first use of one is dear
  for (let at = address.length - 1, carry = n; carry > 0 && at >= 0; at--) {
    const sum = (address[at] ?? 0) + (carry % 256);
    address[at] = sum;
    carry = Math.floor(carry / 256) + (sum >> 8);
  }
  return address;
}

/** The reverse of nthAddress: how far `address` is from the network's; beyond 2^53 about so far. */
export function offsetIn({ bytes }: Subnet, address: Uint8Array): number {
  let offset = 0;
  for (let at = 0; at < bytes.length; at++) offset = offset * 256 + (address[at] ?? 0) - (bytes[at] ?? 0);
  return offset;
}

/** How many addresses there are, with the network's own and the broadcast one: a power of two, and so exact. */
export function subnetSize({ bytes, prefix }: Subnet): number {
  return 2 ** (bytes.length * 8 - prefix);
}

/** Whether it never leaves the host: 127.0.0.0/8, as IPv4 or mapped into IPv6, or ::1. */
export function isLoopback(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] === 127;
  if (isMapped(address)) return address[12] === 127;
  return address.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

/** Six bytes as `02:42:ac:11:00:02` or with `-`; undefined where it is none. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** A MAC address made from an IPv4 one, as Docker did up to version 27: 02:42 and the four bytes. */
export function macOf(ipv4: Uint8Array): Uint8Array {
  return Uint8Array.of(0x02, 0x42, ...ipv4);
}
