import { loadPacketProgram } from "../linux/bpf.ts";
import { AND, assemble, EXIT, type Insn, insn, MOVE, SET } from "../linux/bpf-program.ts";
import { isErrno } from "../linux/errno.ts";
import { close } from "../linux/file.ts";
import type { NetlinkSocket } from "../linux/netlink.ts";
import { filterIncoming } from "../linux/tc.ts";

/** Whose packets may come from a container's link: its MAC address, and its addresses, 4 or 16 bytes. */
export interface Sender {
  readonly mac: Uint8Array;
  readonly addresses: readonly Uint8Array[];
}

const ACCEPT = 0;
const DROP = 2;
/** Where a part of the packet is copied to, from the frame pointer. */
const STACK = -32;
const FRAME = 10;
const CONTEXT = 6;
const SKB_LOAD_BYTES = 26;

type Label = "drop" | "accept" | "ip4" | "arp" | "ip6" | "neighbour";
/** An instruction; one that jumps names where to. */
type Step = Insn | readonly [...Insn, to: Label];

/** A program whose jumps are made when it is known where everything is. */
class Program {
  private readonly steps: Step[] = [];
  private readonly places = new Map<Label, number>();

  add(...steps: readonly Step[]): this {
    this.steps.push(...steps);
    return this;
  }

  place(label: Label): this {
    this.places.set(label, this.steps.length);
    return this;
  }

  /** The packet's bytes from `offset` on to the stack; where there are not so many, to `otherwise`. */
  load(offset: number, length: number, otherwise: Label): this {
    this.add(MOVE(1, CONTEXT), SET(2, offset), MOVE(3, FRAME), insn(0x07, 3, 0, 0, STACK), SET(4, length));
    return this.add(insn(0x85, 0, 0, 0, SKB_LOAD_BYTES)).unlessIs(0, 0, otherwise);
  }

  /** The two bytes at `at` of what was loaded, into r1. */
  half(at: number): this {
    return this.add(insn(0x69, 1, FRAME, STACK + at, 0));
  }

  unlessIs(register: number, value: number, to: Label): this {
    return this.add([...insn(0x56, register, 0, 0, value | 0), to]);
  }

  whereIs(value: number, to: Label): this {
    return this.add([...insn(0x16, 1, 0, 0, value | 0), to]);
  }

  go(to: Label): this {
    return this.add([...insn(0x05, 0, 0, 0, 0), to]);
  }

  /** On only where the bytes at `at` are these, compared by two. */
  unlessBytes(at: number, bytes: Uint8Array, to: Label): this {
    for (let i = 0; i < bytes.length; i += 2) this.half(at + i).unlessIs(1, halfOf(bytes, i), to);
    return this;
  }

  done(): BigUint64Array {
    return assemble(
      this.steps.map(([code, immediate, to], at) => {
        if (to === undefined) return [code, immediate];
        const distance = (this.places.get(to) ?? 0) - at - 1;
        return [code | ((distance & 0xffff) << 16), immediate];
      }),
    );
  }
}

/** Two bytes of a packet as the program reads them: in the order of its own. */
function halfOf(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

const ETHERTYPE = { ip4: Uint8Array.of(8, 0), arp: Uint8Array.of(8, 6), ip6: Uint8Array.of(0x86, 0xdd) };
const LINK_LOCAL = Uint8Array.of(0xfe, 0x80);
const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;

/**
 * The program for a container's link: nothing passes but IPv4, ARP and IPv6 from its own MAC address and addresses, and nothing
 * that tells others that an address of somebody else is there (RFC 826; RFC 4861, section 4.4).
 */
export function guardProgram({ mac, addresses }: Sender): BigUint64Array {
  const program = new Program().add(MOVE(CONTEXT, 1));
  // from the source's MAC address on: 6 bytes, the type, and of the IP header or ARP packet 20
  program.load(6, 28, "drop").unlessBytes(0, mac, "drop").half(6);
  for (const label of ["ip4", "arp", "ip6"] as const) program.whereIs(halfOf(ETHERTYPE[label], 0), label);
  program.go("drop");
  addIPv4(
    program,
    mac,
    addresses.find(({ length }) => length === 4),
  );
  addIPv6(
    program,
    addresses.find(({ length }) => length === 16),
  );
  program.place("accept").add(SET(0, ACCEPT), EXIT);
  program.place("drop").add(SET(0, DROP), EXIT);
  return program.done();
}

function addIPv4(program: Program, mac: Uint8Array, address: Uint8Array | undefined): void {
  if (!address) {
    program.place("ip4").place("arp").go("drop");
    return;
  }
  program.place("ip4").unlessBytes(20, address, "drop").go("accept");
  program.place("arp").unlessBytes(16, mac, "drop").unlessBytes(22, address, "drop").go("accept");
}

function addIPv6(program: Program, address: Uint8Array | undefined): void {
  program.place("ip6");
  if (!address) {
    program.go("drop");
    return;
  }
  // the next header is the byte before the hop limit; then the source
  program.load(20, 18, "drop").half(2);
  // link-local ones are made by the kernel itself, and :: looks whether they are somebody's
  program.add(AND(1, 0xc0ff)).whereIs(halfOf(LINK_LOCAL, 0), "neighbour").half(2).whereIs(0, "neighbour");
  program.unlessBytes(2, address, "drop");
  program.place("neighbour").half(0).add(AND(1, 0xff)).unlessIs(1, ICMPV6, "accept");
  program.load(54, 24, "accept").half(0).add(AND(1, 0xff)).unlessIs(1, NEIGHBOUR_ADVERTISEMENT, "accept");
  program.half(8).add(AND(1, 0xc0ff)).whereIs(halfOf(LINK_LOCAL, 0), "accept");
  program.unlessBytes(8, address, "drop");
}

/** Puts the guard before the host's end of a container's link; nothing where this kernel has no such thing. */
export function guardLink(socket: NetlinkSocket, index: number, sender: Sender): void {
  try {
    const program = loadPacketProgram(guardProgram(sender));
    try {
      filterIncoming(socket, index, program, "mydocker");
    } finally {
      close(program);
    }
  } catch (error) {
    if (!isErrno(error, "ENOENT", "EOPNOTSUPP", "ENOSYS")) throw error;
  }
}
