import { errnoName, SysError } from "./errno.ts";
import { close } from "./file.ts";
import { check, errno, library } from "./libc.ts";
import { toBytes } from "./text.ts";

const libc = library({ socket: "iiii", send: "iplil", recv: "iplil", setsockopt: "iiipli" });

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;

/** Families of netlink(7). */
export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;

/** Flags of struct nlmsghdr. */
export const NLM_F = {
  REQUEST: 1,
  ACK: 4,
  DUMP: 0x300,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
} as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 16;
const NLMSGERR_ATTR_MSG = 1;

/** Netlink messages as they are put together: `start` and `end` around each, attributes between. Numbers are the host's. */
export class MessageWriter {
  // replaced when it grows: find the place first, then take these
  private bytes = new Uint8Array(2048);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  private from = 0;
  /** How many messages have been begun. */
  count = 0;

  /** Begins a message of `type`, with the fixed header of its family. */
  start(type: number, flags: number, header: Uint8Array): this {
    this.from = this.length;
    this.room(HEADER + header.length + 4);
    this.view.setUint16(this.from + 4, type, true);
    this.view.setUint16(this.from + 6, flags | NLM_F.REQUEST, true);
    this.view.setUint32(this.from + 8, ++this.count, true);
    this.view.setUint32(this.from + 12, 0, true);
    this.bytes.set(header, this.from + HEADER);
    this.length = this.from + HEADER + aligned(header.length);
    return this;
  }

  end(): this {
    this.view.setUint32(this.from, this.length - this.from, true);
    return this;
  }

  /** An attribute that is bytes. */
  raw(type: number, data: Uint8Array): this {
    const at = this.attribute(type, data.length);
    this.bytes.set(data, at);
    return this;
  }

  text(type: number, text: string): this {
    return this.raw(type, toBytes(`${text}\0`));
  }

  u8(type: number, value: number): this {
    const at = this.attribute(type, 1);
    this.bytes[at] = value;
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value, true);
    return this;
  }

  /** A number in the network's order, as nf_tables wants all of its own. */
  be32(type: number, value: number): this {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value, false);
    return this;
  }

  be64(type: number, value: bigint): this {
    const at = this.attribute(type, 8);
    this.view.setBigUint64(at, value, false);
    return this;
  }

  /** An attribute that holds others, which `fill` writes. */
  nest(type: number, fill: (writer: this) => void): this {
    const at = this.attribute(type | NLA_F_NESTED, 0);
    fill(this);
    this.view.setUint16(at - 4, this.length - at + 4, true);
    return this;
  }

  /** A fixed header within an attribute (VETH_INFO_PEER's struct ifinfomsg). */
  bare(data: Uint8Array): this {
    this.room(aligned(data.length));
    this.bytes.set(data, this.length);
    this.length += aligned(data.length);
    return this;
  }

  /** What has been written so far. */
  done(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private attribute(type: number, size: number): number {
    const at = this.length;
    this.room(4 + aligned(size));
    this.view.setUint16(at, size + 4, true);
    this.view.setUint16(at + 2, type, true);
    this.length += 4 + aligned(size);
    return at + 4;
  }

  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** One message that the kernel sent: its type and what follows the netlink header. */
export interface Received {
  readonly type: number;
  readonly body: Uint8Array;
}

/** A socket to one family of netlink, in the network namespace of the thread that makes it. */
export class NetlinkSocket {
  private readonly fd: number;
  private readonly buffer = new Uint8Array(32768);

  constructor(family: number) {
    this.fd = check(libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family), "socket", "AF_NETLINK");
    // of a failure the kernel's words, not the message once more
    this.set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
    this.set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
  }

  close(): void {
    close(this.fd);
  }

  /**
   * Sends messages that ask for an answer each (NLM_F.ACK, or a request for one object). The kernel does them before the call
   * returns; those that failed throw, the first with its number and what the kernel says of it, unless `forgive` lets it pass.
   * Returns the objects that were asked for.
   */
  exchange(writer: MessageWriter, what: string, forgive: (code: string) => boolean = no): Received[] {
    this.send(writer, what);
    const received: Received[] = [];
    let failure: SysError | undefined;
    for (;;) {
      const got = this.receive(MSG_DONTWAIT);
      if (got === undefined) break;
      for (const { type, body } of messagesIn(got)) {
        if (type !== NLMSG_ERROR) received.push({ type, body });
        else failure ??= failureOf(body, what, forgive);
      }
    }
    if (failure) throw failure;
    return received;
  }

  /** Sends one request for a dump; `each` gets every message of the answer. */
  dump(writer: MessageWriter, what: string, each: (received: Received) => void): void {
    this.send(writer, what);
    for (;;) {
      const got = this.receive(0);
      if (got === undefined) continue;
      for (const { type, body } of messagesIn(got)) {
        if (type === NLMSG_DONE) return;
        if (type === NLMSG_ERROR) {
          const failure = failureOf(body, what, no);
          if (failure) throw failure;
          return;
        }
        each({ type, body });
      }
    }
  }

  private send(writer: MessageWriter, what: string): void {
    const data = writer.done();
    // each message is answered
    if (writer.count > 200) this.set(SOL_SOCKET, SO_RCVBUFFORCE, writer.count * 1024);
    if (data.length > 150_000) this.set(SOL_SOCKET, SO_SNDBUFFORCE, data.length * 2);
    check(libc().send(this.fd, data, data.length, 0), "send", what);
  }

  private receive(flags: number): Uint8Array | undefined {
    const got = libc().recv(this.fd, this.buffer, this.buffer.length, flags | MSG_TRUNC);
    if (got < 0 && ["EAGAIN", "EINTR"].includes(errnoName(errno()))) return undefined;
    check(got, "recv", "netlink");
    return this.buffer.subarray(0, Math.min(got, this.buffer.length));
  }

  private set(level: number, option: number, value: number): void {
    // what an old kernel does not know is done without
    libc().setsockopt(this.fd, level, option, new Uint32Array([value]), 4);
  }
}

const no = (): boolean => false;

function messagesIn(buffer: Uint8Array): Received[] {
  const messages: Received[] = [];
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  for (let at = 0; at + HEADER <= buffer.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > buffer.length) break;
    const type = view.getUint16(at + 4, true);
    // a copy: the buffer is used again
    messages.push({ type, body: buffer.slice(at + HEADER, at + length) });
    at += aligned(length);
  }
  return messages;
}

/** struct nlmsgerr: undefined where it says that all is well, or what may be forgiven. */
function failureOf(body: Uint8Array, what: string, forgive: (code: string) => boolean): SysError | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const code = -view.getInt32(0, true);
  if (code === 0 || forgive(errnoName(code))) return undefined;
  const said = attributesOf(body.subarray(4 + HEADER)).get(NLMSGERR_ATTR_MSG);
  const words = said ? `${what} (${decoder.decode(said).replace(/\0.*$/, "")})` : what;
  return new SysError("netlink", words, code);
}

const decoder = new TextDecoder();

/** The attributes of a message or of one attribute, by number; of several with one number the last. */
export function attributesOf(data: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  eachAttribute(data, (type, value) => found.set(type, value));
  return found;
}

/** The attributes in their order, where several may have one number (lists). */
export function attributeList(data: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  eachAttribute(data, (_, value) => found.push(value));
  return found;
}

function eachAttribute(data: Uint8Array, use: (type: number, value: Uint8Array) => void): void {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let at = 0; at + 4 <= data.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > data.length) break;
    use(view.getUint16(at + 2, true) & NLA_TYPE_MASK, data.subarray(at + 4, at + length));
    at += aligned(length);
  }
}

/** A text attribute, without its NUL. */
export function textOf(data: Uint8Array | undefined): string {
  return data ? decoder.decode(data).replace(/\0.*$/s, "") : "";
}

/** A number of the host's order in an attribute of one, two or four bytes; 0 where there is none. */
export function numberOf(data: Uint8Array | undefined): number {
  let value = 0;
  for (let i = (data?.length ?? 0) - 1; i >= 0; i--) value = value * 256 + (data?.[i] ?? 0);
  return value;
}
