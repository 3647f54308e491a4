import { attributesOf, MessageWriter, type NetlinkSocket, NLM_F, numberOf, textOf } from "./netlink.ts";

/** Messages of rtnetlink(7). */
const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
} as const;

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
} as const;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const VETH_INFO_PEER = 1;
/** Leaves the counters out of an answer. */
const RTEXT_FILTER_SKIP_STATS = 8;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 2;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const IFF_UP = 1;

const AF_INET = 2;
const AF_INET6 = 10;

/** A link of the socket's network namespace. */
export interface Link {
  readonly index: number;
  readonly up: boolean;
  readonly alias: string;
}

/** An address of a link, or where a route leads to: 4 or 16 bytes, and how many bits of them name the network. */
export interface Prefix {
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

/** A pair of connected links: one here, in a bridge, and its peer in another network namespace. */
export interface Veth {
  readonly name: string;
  /** The index of the bridge. */
  readonly master: number;
  readonly mtu: number;
  /** What comes from it may go back by it (a container that reaches itself through the host). */
  readonly hairpin: boolean;
  /** Nothing passes between it and other such ports of the bridge. */
  readonly isolated: boolean;
  readonly peer: {
    readonly name: string;
    /** A descriptor of its network namespace. */
    readonly netns: number;
    readonly mac: Uint8Array;
  };
}

/** A link's addresses, and the routers of what is elsewhere. */
export interface LinkSetup {
  readonly index: number;
  readonly addresses: readonly Prefix[];
  readonly gateways: readonly Uint8Array[];
}

/** struct ifinfomsg. */
function linkHeader(index: number, flags = 0): Uint8Array {
  return new Uint8Array(new Uint32Array([0, index, flags, flags]).buffer);
}

const CREATE = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;

/** The link of that name, undefined where there is none. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  const writer = new MessageWriter().start(RTM.GETLINK, 0, linkHeader(0)).text(IFLA.IFNAME, name);
  writer.u32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS).end();
  const [found] = socket.exchange(writer, `link ${name}`, (code) => code === "ENODEV");
  return found && linkOf(found.body);
}

function linkOf(body: Uint8Array): Link {
  const attributes = attributesOf(body.subarray(16));
  return {
    index: numberOf(body.subarray(4, 8)),
    up: (numberOf(body.subarray(8, 12)) & IFF_UP) !== 0,
    alias: textOf(attributes.get(IFLA.IFALIAS)),
  };
}

/**
 * Makes a bridge that is down yet. Its own MAC is fixed: by itself it would take the smallest of its ports', and change it
 * whenever they come and go.
 */
export function addBridge(
  socket: NetlinkSocket,
  bridge: {
    readonly name: string;
    readonly alias: string;
    readonly mac: Uint8Array;
    readonly mtu: number;
    readonly group: number;
  },
): void {
  const writer = new MessageWriter().start(RTM.NEWLINK, CREATE, linkHeader(0)).text(IFLA.IFNAME, bridge.name);
  writer.raw(IFLA.ADDRESS, bridge.mac).u32(IFLA.MTU, bridge.mtu).u32(IFLA.GROUP, bridge.group);
  writer.nest(IFLA.LINKINFO, (info) => info.text(IFLA_INFO_KIND, "bridge")).end();
  writer.start(RTM.NEWLINK, NLM_F.ACK, linkHeader(0)).text(IFLA.IFNAME, bridge.name);
  writer.text(IFLA.IFALIAS, bridge.alias).end();
  socket.exchange(writer, `make bridge ${bridge.name}`);
}

/** Makes a pair of links; the one here is up. */
export function addVeth(socket: NetlinkSocket, veth: Veth): void {
  const { name, master, mtu, peer, hairpin, isolated } = veth;
  // one queue: the default is one for each CPU, each with files in /sys, and no use without XDP
  const common = (writer: MessageWriter): MessageWriter =>
    writer.u32(IFLA.MTU, mtu).u32(IFLA.NUM_TX_QUEUES, 1).u32(IFLA.NUM_RX_QUEUES, 1);
  const writer = new MessageWriter()
    .start(RTM.NEWLINK, CREATE, linkHeader(0, IFF_UP))
    .text(IFLA.IFNAME, name);
  common(writer).u32(IFLA.MASTER, master);
  writer.nest(IFLA.LINKINFO, (info) =>
    info.text(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_DATA, (data) =>
      data.nest(VETH_INFO_PEER, (other) => {
        // it cannot be up before the first one is there
        other.bare(linkHeader(0)).text(IFLA.IFNAME, peer.name).raw(IFLA.ADDRESS, peer.mac);
        common(other).u32(IFLA.NET_NS_FD, peer.netns);
      }),
    ),
  );
  writer.end();
  if (hairpin || isolated) {
    writer.start(RTM.NEWLINK, NLM_F.ACK, linkHeader(0)).text(IFLA.IFNAME, name);
    writer.nest(IFLA.LINKINFO, (info) =>
      info.text(IFLA_INFO_SLAVE_KIND, "bridge").nest(IFLA_INFO_SLAVE_DATA, (data) => {
        if (hairpin) data.u8(IFLA_BRPORT_MODE, 1);
        if (isolated) data.u8(IFLA_BRPORT_ISOLATED, 1);
      }),
    );
    writer.end();
  }
  socket.exchange(writer, `make link ${name}`);
}

/** Makes default routes by gateways of a link; those that are there already stay. */
export function addRoutes(socket: NetlinkSocket, name: string, gateways: readonly Uint8Array[]): void {
  const link = findLink(socket, name);
  const writer = new MessageWriter();
  for (const gateway of gateways) writeRoute(writer, gateway, link?.index ?? 0);
  socket.exchange(writer, `make routes by ${name}`, (code) => code === "EEXIST");
}

function writeRoute(writer: MessageWriter, gateway: Uint8Array, index: number): void {
  writer.start(RTM.NEWROUTE, NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL, routeHeader(gateway));
  writer.raw(RTA.GATEWAY, gateway).u32(RTA.OIF, index).end();
}

/** Removes a link, a veth with its peer; false where there is none. */
export function deleteLink(socket: NetlinkSocket, name: string): boolean {
  let there = true;
  const writer = new MessageWriter()
    .start(RTM.DELLINK, NLM_F.ACK, linkHeader(0))
    .text(IFLA.IFNAME, name)
    .end();
  socket.exchange(writer, `delete link ${name}`, (code) => {
    if (code === "ENODEV") there = false;
    return !there;
  });
  return there;
}

/** Brings a link up, gives it addresses, then makes the routes by its gateways. */
export function setUpLink(socket: NetlinkSocket, name: string, setup: LinkSetup): void {
  const { index } = setup;
  const writer = new MessageWriter().start(RTM.NEWLINK, NLM_F.ACK, linkHeader(index, IFF_UP)).end();
  for (const { bytes, prefix } of setup.addresses) {
    writer.start(RTM.NEWADDR, NLM_F.ACK | NLM_F.CREATE, addressHeader(bytes, prefix, index));
    writer.raw(IFA.LOCAL, bytes).raw(IFA.ADDRESS, bytes);
    if (bytes.length === 4 && prefix < 31) writer.raw(IFA.BROADCAST, broadcastOf(bytes, prefix));
    // nobody else has it: it comes from our own list, and looking for others takes a second
    if (bytes.length === 16) writer.u32(IFA.FLAGS, IFA_F_NODAD);
    writer.end();
  }
  for (const gateway of setup.gateways) writeRoute(writer, gateway, index);
  socket.exchange(writer, `set up link ${name}`, (code) => code === "EEXIST");
}

function familyOf(bytes: Uint8Array): number {
  return bytes.length === 4 ? AF_INET : AF_INET6;
}

/** struct ifaddrmsg. */
function addressHeader(bytes: Uint8Array, prefix: number, index: number): Uint8Array {
  const header = new Uint8Array(8);
  header.set([familyOf(bytes), prefix]);
  new DataView(header.buffer).setUint32(4, index, true);
  return header;
}

/** struct rtmsg of a default route. */
function routeHeader(gateway: Uint8Array): Uint8Array {
  return new Uint8Array([
    familyOf(gateway),
    0,
    0,
    0,
    RT_TABLE_MAIN,
    RTPROT_STATIC,
    0,
    RTN_UNICAST,
    0,
    0,
    0,
    0,
  ]);
}

function broadcastOf(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, at) => byte | (0xff >> Math.min(8, Math.max(0, prefix - at * 8))));
}

/** What the host uses already: the networks of its links' addresses, and those it has routes to (but the default ones). */
export function listPrefixes(socket: NetlinkSocket): Prefix[] {
  const found: Prefix[] = [];
  const addresses = new MessageWriter().start(RTM.GETADDR, NLM_F.DUMP, new Uint8Array(8)).end();
  socket.dump(addresses, "list addresses", ({ body }) => {
    const attributes = attributesOf(body.subarray(8));
    const bytes = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
    if (bytes) found.push({ bytes: bytes.slice(), prefix: body[1] ?? 0 });
  });
  const routes = new MessageWriter().start(RTM.GETROUTE, NLM_F.DUMP, new Uint8Array(12)).end();
  socket.dump(routes, "list routes", ({ body }) => {
    const bytes = attributesOf(body.subarray(12)).get(RTA.DST);
    const prefix = body[1] ?? 0;
    if (bytes && prefix > 0) found.push({ bytes: bytes.slice(), prefix });
  });
  return found;
}
