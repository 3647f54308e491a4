import type { MessageWriter } from "./netlink.ts";
import type { Expression } from "./nftables.ts";

/** Registers, four bytes each from here on; a longer value takes the next ones too. */
const FIRST_REGISTER = 8;
const VERDICT_REGISTER = 0;

/** What a meta expression loads, by its key. */
export const META = { iifname: 6, oifname: 7, nfproto: 15, l4proto: 16, iifgroup: 21, oifgroup: 22 } as const;
const PAYLOAD_BASE = { network: 1, transport: 2 } as const;
const CT = { state: 0, status: 2 } as const;
const CMP_EQ = 0;
const CMP_NEQ = 1;
const FIB_RESULT_ADDRTYPE = 3;
const FIB_FLAG_DADDR = 2;
const RTN_LOCAL = 2;
const NAT_DNAT = 1;

function expression(name: string, fill: (data: MessageWriter) => void): Expression {
  return (writer) => {
    writer.text(1, name).nest(2, fill);
  };
}

/** A number as the kernel holds it in a register: in the order of its own bytes. */
export function native(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

/** The name of a link, as long as names can be. */
export function linkName(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  new TextEncoder().encodeInto(name, bytes.subarray(0, 15));
  return bytes;
}

/** `slot` is the number of the register's four bytes, from 0. */
export function meta(key: keyof typeof META, slot = 0): Expression {
  return expression("meta", (data) => data.be32(1, FIRST_REGISTER + slot).be32(2, META[key]));
}

/** Bytes of a header of the packet. */
export function payload(
  base: keyof typeof PAYLOAD_BASE,
  offset: number,
  length: number,
  slot = 0,
): Expression {
  return expression("payload", (data) =>
    data
      .be32(1, FIRST_REGISTER + slot)
      .be32(2, PAYLOAD_BASE[base])
      .be32(3, offset)
      .be32(4, length),
  );
}

/** conntrack's view of the packet. */
export function conntrack(key: keyof typeof CT): Expression {
  return expression("ct", (data) => data.be32(1, FIRST_REGISTER).be32(2, CT[key]));
}

function compare(operator: number, value: Uint8Array): Expression {
  return expression("cmp", (data) =>
    data
      .be32(1, FIRST_REGISTER)
      .be32(2, operator)
      .nest(3, (nested) => nested.raw(1, value)),
  );
}

/** Goes on where the first register is `value`. */
export function is(value: Uint8Array): Expression {
  return compare(CMP_EQ, value);
}

/** Goes on where it is not. */
export function isNot(value: Uint8Array): Expression {
  return compare(CMP_NEQ, value);
}

/** Keeps the bits of `bits` of the first register. */
export function mask(bits: Uint8Array): Expression {
  return expression("bitwise", (data) =>
    data
      .be32(1, FIRST_REGISTER)
      .be32(2, FIRST_REGISTER)
      .be32(3, bits.length)
      .nest(4, (nested) => nested.raw(1, bits))
      .nest(5, (nested) => nested.raw(1, new Uint8Array(bits.length))),
  );
}

/** Goes on where what is in the registers is a key of the set. */
export function isIn(set: string): Expression {
  return expression("lookup", (data) => data.text(1, set).be32(2, FIRST_REGISTER));
}

/** Goes on where the map has the key, with what it leads to in the registers. */
export function mapped(map: string): Expression {
  return expression("lookup", (data) => data.text(1, map).be32(2, FIRST_REGISTER).be32(3, FIRST_REGISTER));
}

/** Goes on where the destination is an address of the host's own. */
export function toLocal(): Expression[] {
  return [
    expression("fib", (data) =>
      data.be32(1, FIRST_REGISTER).be32(2, FIB_RESULT_ADDRTYPE).be32(3, FIB_FLAG_DADDR),
    ),
    is(native(RTN_LOCAL)),
  ];
}

/** Changes the destination to the address and port in the registers; `family` is of NFPROTO. */
export function dnat(family: number, addressLength: number): Expression {
  return expression("nat", (data) =>
    data
      .be32(1, NAT_DNAT)
      .be32(2, family)
      .be32(3, FIRST_REGISTER)
      .be32(5, FIRST_REGISTER + addressLength / 4),
  );
}

/** Changes the source to the address of the link that the packet leaves by. */
export function masquerade(): Expression {
  return expression("masq", () => {});
}

/** Counts packets, as iptables does in each of its rules. */
export function counter(): Expression {
  return expression("counter", (data) => data.be64(1, 0n).be64(2, 0n));
}

/** Ends with NF_ACCEPT or NF_DROP. */
export function verdict(code: number): Expression {
  return expression("immediate", (data) =>
    data.be32(1, VERDICT_REGISTER).nest(2, (nested) => nested.nest(2, (inner) => inner.be32(1, code))),
  );
}
