import { attributesOf, MessageWriter, type NetlinkSocket, NLM_F } from "./netlink.ts";

/** Messages of conntrack (linux/netfilter/nfnetlink_conntrack.h), on a socket of NETLINK.NETFILTER. */
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_IP = { V4_DST: 2, V6_DST: 4 } as const;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 } as const;

/** Where the first packet of a flow went. */
export interface Flow {
  /** IPPROTO_TCP, IPPROTO_UDP … */
  readonly protocol: number;
  readonly destination: Uint8Array;
  readonly port: number;
}

function start(writer: MessageWriter, message: number, flags: number, family: number): MessageWriter {
  return writer.start((NFNL_SUBSYS_CTNETLINK << 8) | message, flags, Uint8Array.of(family, 0, 0, 0));
}

/** Makes the kernel forget the flows that `fits` picks, so that their next packet is a first one. `family` is AF_INET or AF_INET6. */
export function forgetFlows(socket: NetlinkSocket, family: number, fits: (flow: Flow) => boolean): void {
  const found: Uint8Array[] = [];
  const all = start(new MessageWriter(), IPCTNL_MSG_CT_GET, NLM_F.DUMP, family).end();
  socket.dump(all, "list flows", ({ body }) => {
    const tuple = attributesOf(body.subarray(4)).get(CTA_TUPLE_ORIG);
    const flow = tuple && flowOf(tuple);
    if (tuple && flow && fits(flow)) found.push(tuple.slice());
  });
  for (let at = 0; at < found.length; at += 100) {
    const writer = new MessageWriter();
    for (const tuple of found.slice(at, at + 100))
      start(writer, IPCTNL_MSG_CT_DELETE, NLM_F.ACK, family)
        .nest(CTA_TUPLE_ORIG, (nested) => nested.bare(tuple))
        .end();
    socket.exchange(writer, "forget flows", (code) => code === "ENOENT");
  }
}

function flowOf(tuple: Uint8Array): Flow | undefined {
  const parts = attributesOf(tuple);
  const ip = attributesOf(parts.get(CTA_TUPLE.IP) ?? new Uint8Array(0));
  const proto = attributesOf(parts.get(CTA_TUPLE.PROTO) ?? new Uint8Array(0));
  const destination = ip.get(CTA_IP.V4_DST) ?? ip.get(CTA_IP.V6_DST);
  const port = proto.get(CTA_PROTO.DST_PORT);
  if (!destination || !port) return undefined;
  return {
    protocol: proto.get(CTA_PROTO.NUM)?.[0] ?? 0,
    destination,
    port: ((port[0] ?? 0) << 8) | (port[1] ?? 0),
  };
}
