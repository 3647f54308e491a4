import { EngineError, undone } from "../linux/errors.ts";
import { close, O, open, readTextIfAny } from "../linux/file.ts";
import { NETLINK, NetlinkSocket } from "../linux/netlink.ts";
import { addVeth, findLink, type Prefix, setUpLink } from "../linux/rtnetlink.ts";
import { formatMac, macOf, parseAddress, parseCidr, parseMac } from "./address.ts";
import {
  type Attachment,
  addressOf,
  type Endpoint,
  type EndpointAddress,
  writeAttachment,
} from "./attachment.ts";
import { bindPorts, type HeldPort } from "./bind-ports.ts";
import { setIfThere } from "./bridge.ts";
import { guardLink } from "./guard.ts";
import { leaseAddress } from "./leases.ts";
import { publishedPorts } from "./published.ts";
import { type Ready, type ReadyNetwork, readyNetworks } from "./ready.ts";
import type { Caller, NetworkPaths, NetworkRecord, Pool } from "./record.ts";
import { releaseAttachment } from "./release.ts";
import type { EndpointWish, PortWish } from "./wish.ts";

/** A container that is to be connected. */
export interface WiringRequest extends Caller {
  /** Its id. */
  readonly container: string;
  readonly name: string;
  readonly hostname: string;
  readonly endpoints: readonly EndpointWish[];
  readonly ports: readonly PortWish[];
}

/** A container's network while it is made, step by step, by the client that starts it. */
export class Wiring {
  private constructor(
    private readonly paths: NetworkPaths,
    private readonly ready: Ready,
    readonly attachment: Attachment,
    /** Bound to the ports of the host's: somebody must hold them as long as the container runs. */
    readonly sockets: readonly HeldPort[],
  ) {}

  /** Chooses addresses and ports, and holds them; nothing else is made yet. Throws what cannot be had, with nothing held. */
  static plan(paths: NetworkPaths, request: WiringRequest): Wiring {
    const { container, name, hostname } = request;
    const names = request.endpoints.map(({ network }) => network);
    const ready = readyNetworks(paths, names, request);
    const sockets: HeldPort[] = [];
    try {
      const endpoints = request.endpoints.map((wish, number) =>
        chooseEndpoint(paths, ready.networks[number], wish, number, request),
      );
      const ports = bindPorts(request.ports, endpoints, ready, sockets);
      const attachment = { container, name, hostname, endpoints, ports };
      writeAttachment(paths, attachment);
      ready.release();
      return new Wiring(paths, ready, attachment, sockets);
    } catch (error) {
      throw undone(error, () => {
        for (const { fd } of sockets) close(fd);
        releaseAttachment(paths, container, true);
        ready.release();
        ready.socket.close();
        ready.firewall?.close();
      });
    }
  }

  /** Makes the links between the bridges and the network namespace of a process. */
  connect(pid: number): void {
    const netns = open(`/proc/${pid}/ns/net`, O.RDONLY);
    try {
      this.attachment.endpoints.forEach((endpoint, number) => {
        const hairpin = this.attachment.ports.length > 0;
        makeLink(this.ready.socket, this.ready.networks[number], endpoint, netns, hairpin);
      });
    } finally {
      close(netns);
    }
  }

  /** Sets the container's ends up; the calling thread is in the container's network namespace. */
  configure(): void {
    const socket = new NetlinkSocket(NETLINK.ROUTE);
    try {
      const routers = defaultRouters(this.attachment.endpoints);
      for (const endpoint of this.attachment.endpoints) setUpEndpoint(socket, endpoint, routers);
    } finally {
      socket.close();
    }
  }

  /** Lets the ports lead to the container. */
  publish(): void {
    if (this.attachment.ports.length > 0) this.ready.firewall?.publish(publishedPorts(this.attachment));
  }

  /** The file that says where the sockets lead that serve. */
  get relay(): string {
    return this.paths.relay(this.attachment.container);
  }

  /** Lets go of what only the making needed. */
  close(): void {
    for (const { fd } of this.sockets) close(fd);
    this.ready.socket.close();
    this.ready.firewall?.close();
  }

  /** Takes back all that was made. */
  undo(): void {
    releaseAttachment(this.paths, this.attachment.container, false);
  }
}

/** Addresses for one endpoint, leased. */
export function chooseEndpoint(
  paths: NetworkPaths,
  network: ReadyNetwork | undefined,
  wish: EndpointWish,
  number: number,
  { container, reclaim }: Pick<WiringRequest, "container" | "reclaim">,
): Endpoint {
  if (!network) throw new EngineError(`cannot connect to network ${wish.network}: it is not ready`);
  const { record } = network;
  const addresses: EndpointAddress[] = [];
  for (const family of [4, 6] as const) {
    const wanted = family === 4 ? wish.ip : wish.ip6;
    const pool = record.pools.find(({ subnet }) => subnet.includes(":") === (family === 6));
    if (!pool && wanted)
      throw new EngineError(
        `cannot use address ${wanted}: network ${record.name} has no subnet of IPv${family}: make it with --subnet`,
      );
    if (pool)
      addresses.push(leaseFrom(paths, record, pool, { container, reclaim, ...(wanted && { wanted }) }));
  }
  return {
    network: record.name,
    networkId: record.id,
    interface: `eth${number}`,
    veth: newLinkName(container, number),
    mac: wish.mac ?? macFor(addresses),
    internal: record.internal,
    addresses,
    aliases: wish.aliases ?? [],
  };
}

/** Another one at each start: that of the run before goes some milliseconds after it, with its namespace. */
function newLinkName(container: string, number: number): string {
  const random = Math.floor(Math.random() * 36 ** 3).toString(36);
  return `veth${Number(container).toString(36)}${random}${number.toString(36)}`.slice(0, 15);
}

function leaseFrom(
  paths: NetworkPaths,
  record: NetworkRecord,
  pool: Pool,
  request: Parameters<typeof leaseAddress>[3],
): EndpointAddress {
  const address = leaseAddress(paths, record, pool, request);
  return { address, prefix: parseCidr(pool.subnet)?.prefix ?? 0, gateway: pool.gateway };
}

/** Of the IPv4 address, as neighbours then need not learn another one when the address is given again. */
function macFor(addresses: readonly EndpointAddress[]): string {
  const first = parseAddress(addresses[0]?.address ?? "") ?? new Uint8Array(4);
  return formatMac(macOf(first.subarray(-4)));
}

export function makeLink(
  socket: NetlinkSocket,
  network: ReadyNetwork | undefined,
  { veth, mac, addresses, interface: name }: Endpoint,
  netns: number,
  hairpin: boolean,
): void {
  const peer = { name, netns, mac: parseMac(mac) ?? new Uint8Array(6) };
  const { mtu = 0, connected = true } = network?.record ?? {};
  // the firewall sees what passes within a bridge only where the kernel is set so; there it is the one that decides
  const isolated = !connected && readTextIfAny("/proc/sys/net/bridge/bridge-nf-call-iptables") !== "1\n";
  addVeth(socket, { name: veth, master: network?.index ?? 0, mtu, hairpin, isolated, peer });
  const link = findLink(socket, veth);
  const senders = addresses.flatMap(({ address }) => parseAddress(address) ?? []);
  if (link) guardLink(socket, link.index, { mac: peer.mac, addresses: senders });
}

/** The interfaces whose gateways are the way to everywhere else: the first that leads anywhere, by family. */
export function defaultRouters(endpoints: readonly Endpoint[]): ReadonlySet<string> {
  const open = endpoints.filter(({ internal }) => !internal);
  const routers = new Set<string>();
  for (const family of [4, 6] as const) {
    const gateway = open
      .map((endpoint) => addressOf(endpoint, family)?.gateway)
      .find((one) => one !== undefined);
    if (gateway !== undefined) routers.add(gateway);
  }
  return routers;
}

/** Brings an endpoint's link up, with its addresses; `routers` are the gateways that the default routes go by. */
export function setUpEndpoint(socket: NetlinkSocket, endpoint: Endpoint, routers: ReadonlySet<string>): void {
  const { interface: name } = endpoint;
  const link = findLink(socket, name);
  if (!link) throw new EngineError(`cannot set up ${name} in the container: there is no such link`);
  // without an address of IPv6 it would still make itself one that all on the bridge see
  if (addressOf(endpoint, 6)) {
    setIfThere(`net/ipv6/conf/${name}/accept_dad`, "0");
    // its routers are given, and no neighbour can make itself one
    setIfThere(`net/ipv6/conf/${name}/accept_ra`, "0");
  } else setIfThere(`net/ipv6/conf/${name}/disable_ipv6`, "1");
  const addresses: Prefix[] = [];
  const gateways: Uint8Array[] = [];
  for (const { address, prefix, gateway } of endpoint.addresses) {
    const bytes = parseAddress(address);
    const router = routers.has(gateway) ? parseAddress(gateway) : undefined;
    if (bytes) addresses.push({ bytes, prefix });
    if (router) gateways.push(router);
  }
  setUpLink(socket, name, { index: link.index, addresses, gateways });
}
