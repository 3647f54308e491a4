import { EngineError, undone } from "../linux/errors.ts";
import { close, lock, unlinkIfAny } from "../linux/file.ts";
import { removeTree } from "../linux/folder.ts";
import { NETLINK, NetlinkSocket } from "../linux/netlink.ts";
import { deleteLink, findLink } from "../linux/rtnetlink.ts";
import {
  contains,
  formatAddress,
  formatSubnet,
  offsetIn,
  overlap,
  parseAddress,
  parseSubnet,
  type Subnet,
  subnetSize,
} from "./address.ts";
import { aliasOf, makeBridge } from "./bridge.ts";
import { dismissBridges } from "./foreign.ts";
import {
  beginForwarding,
  makeDefault,
  newNetworkId,
  poolOf,
  rebuildFirewall,
  takenSubnets,
  writeNetwork,
} from "./mend.ts";
import { openFirewall, openNetworkLock } from "./ready.ts";
import {
  type Caller,
  DEFAULT_NETWORK,
  findNetwork,
  listNetworks,
  type NetworkPaths,
  type NetworkRecord,
  type Pool,
  PREDEFINED,
  readNetwork,
} from "./record.ts";
import { freeSubnet, freeSubnet6 } from "./subnets.ts";

/** A network that is to be made. */
export interface NetworkPlan {
  readonly name: string;
  readonly subnets: readonly string[];
  readonly gateways: readonly string[];
  readonly ranges: readonly string[];
  /** By name. */
  readonly reserved: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly ipv6: boolean;
  readonly mtu: number;
  readonly masquerade: boolean;
  readonly connected: boolean;
  /** Undefined: made from the id. */
  readonly bridge?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** Does `work` while nobody else makes or removes networks, or connects to one. */
export function withNetworksLocked<T>(paths: NetworkPaths, work: (socket: NetlinkSocket) => T): T {
  const fd = openNetworkLock(paths);
  const socket = new NetlinkSocket(NETLINK.ROUTE);
  try {
    lock(fd, true);
    return work(socket);
  } finally {
    socket.close();
    close(fd);
  }
}

/** Makes a network: record, bridge, rules; nothing of it is left where that fails. Returns it. */
export function createNetwork(paths: NetworkPaths, plan: NetworkPlan, caller: Caller): NetworkRecord {
  return withNetworksLocked(paths, (socket) => {
    if (PREDEFINED.has(plan.name))
      throw new EngineError(`operation is not permitted on predefined ${plan.name} network`, 1);
    if (readNetwork(paths, plan.name))
      throw new EngineError(
        `network with name ${plan.name} already exists: 'mydocker network rm ${plan.name}' removes it`,
        1,
      );
    const id = newNetworkId();
    const bridge = plan.bridge ?? `br-${id.slice(0, 12)}`;
    if (findLink(socket, bridge))
      throw new EngineError(
        `cannot make network ${plan.name}: the host has a link ${bridge} already: choose another name for the bridge`,
        1,
      );
    const record: NetworkRecord = {
      id,
      name: plan.name,
      created: new Date().toISOString(),
      bridge,
      pools: choosePools(paths, socket, plan),
      internal: plan.internal,
      mtu: plan.mtu,
      masquerade: plan.masquerade,
      connected: plan.connected,
      labels: plan.labels,
      options: plan.options,
    };
    try {
      makeBridge(socket, record);
      beginForwarding(paths, record);
      // the rules are made from the records
      writeNetwork(paths, record);
      rebuildFirewall(paths, socket, openFirewall(paths), caller)?.close();
      return record;
    } catch (error) {
      throw undone(error, () => {
        unlinkIfAny(paths.record(record.name));
        deleteLink(socket, bridge);
      });
    }
  });
}

/** The address ranges that were asked for, each with its gateway; else free ones. */
function choosePools(paths: NetworkPaths, socket: NetlinkSocket, plan: NetworkPlan): Pool[] {
  const taken = takenSubnets(paths, socket);
  const subnets = plan.subnets.map((text) => toSubnet(text, taken, paths));
  for (const family of [4, 16])
    if (subnets.filter(({ bytes }) => bytes.length === family).length > 1)
      throw new EngineError(
        "cannot make the network: bridge networks have one subnet of IPv4 and one of IPv6 at most",
        1,
      );
  const wants4 = !subnets.some(({ bytes }) => bytes.length === 4);
  const wants6 = plan.ipv6 && !subnets.some(({ bytes }) => bytes.length === 16);
  if (!plan.ipv6 && subnets.some(({ bytes }) => bytes.length === 16))
    throw new EngineError("cannot make the network: a subnet of IPv6 needs --ipv6", 1);
  if (wants4) {
    const free = freeSubnet(taken);
    if (!free)
      throw new EngineError("all predefined address pools have been fully subnetted: give a --subnet", 1);
    subnets.unshift(free);
  }
  if (wants6) subnets.push(freeSubnet6(taken, crypto.getRandomValues(new Uint8Array(5))));
  const left = { gateways: [...plan.gateways], ranges: [...plan.ranges], reserved: { ...plan.reserved } };
  const pools = subnets.map((subnet) => completePool(subnet, left));
  for (const [what, rest] of [
    ["gateway", left.gateways[0]],
    ["ip-range", left.ranges[0]],
    ["aux-address", Object.values(left.reserved)[0]],
  ])
    if (rest)
      throw new EngineError(`no matching subnet for ${what} ${rest}: give a --subnet that holds it`, 1);
  return pools;
}

function toSubnet(text: string, taken: readonly Subnet[], paths: NetworkPaths): Subnet {
  const subnet = parseSubnet(text);
  if (!subnet) throw new EngineError(`invalid subnet ${text}: it is in the form 172.28.0.0/16`, 1);
  if (subnetSize(subnet) < 4)
    throw new EngineError(`invalid subnet ${text}: it has no room for containers`, 1);
  if (subnet.prefix < 8) throw new EngineError(`invalid subnet ${text}: it is too large`, 1);
  const other = taken.find((one) => one.bytes.length === subnet.bytes.length && overlap(one, subnet));
  if (!other) return subnet;
  const ours = listNetworks(paths).find(({ pools }) =>
    pools.some((pool) => pool.subnet === formatSubnet(other)),
  );
  const whose = ours ? `that of network ${ours.name}` : "an address or a route of the host's";
  throw new EngineError(
    `Pool overlaps with other one on this address space: ${text} with ${formatSubnet(other)}, ${whose}: choose another --subnet`,
    1,
  );
}

/** Takes what belongs into the subnet out of what is left. */
function completePool(
  subnet: Subnet,
  left: { gateways: string[]; ranges: string[]; reserved: Record<string, string> },
): Pool {
  const holds = (text: string): boolean => {
    const bytes = parseAddress(text);
    return bytes !== undefined && contains(subnet, bytes);
  };
  const pool = poolOf(subnet);
  const given = take(left.gateways, holds);
  if (given !== undefined) {
    const offset = offsetIn(subnet, parseAddress(given) ?? new Uint8Array(4));
    if (offset === 0 || (subnet.bytes.length === 4 && offset === subnetSize(subnet) - 1))
      throw new EngineError(`invalid gateway ${given}: it is no address of a host in ${pool.subnet}`, 1);
  }
  const range = take(left.ranges, (text) => {
    const parsed = parseSubnet(text);
    return parsed !== undefined && parsed.prefix >= subnet.prefix && contains(subnet, parsed.bytes);
  });
  const reserved: Record<string, string> = {};
  for (const [name, address] of Object.entries(left.reserved))
    if (holds(address)) {
      reserved[name] = formatAddress(parseAddress(address) ?? new Uint8Array(4));
      delete left.reserved[name];
    }
  return {
    subnet: pool.subnet,
    gateway: given === undefined ? pool.gateway : formatAddress(parseAddress(given) ?? new Uint8Array(4)),
    ...(range !== undefined && { ipRange: formatSubnet(parseSubnet(range) ?? subnet) }),
    ...(Object.keys(reserved).length > 0 && { reserved }),
  };
}

function take(texts: string[], fits: (text: string) => boolean): string | undefined {
  const at = texts.findIndex(fits);
  return at < 0 ? undefined : texts.splice(at, 1)[0];
}

/** A container that is connected to a network. */
export interface Member {
  readonly container: string;
  readonly name: string;
}

/** Removes a network that nobody is connected to; `members` says who is. */
export function removeNetwork(
  paths: NetworkPaths,
  reference: string,
  members: (network: NetworkRecord) => readonly Member[],
  caller: Caller,
): NetworkRecord {
  if (PREDEFINED.has(reference))
    throw new EngineError(`${reference} is a pre-defined network and cannot be removed`, 1);
  return withNetworksLocked(paths, (socket) => {
    const network = findNetwork(paths, reference);
    if (network.name === DEFAULT_NETWORK)
      throw new EngineError(`${network.name} is a pre-defined network and cannot be removed`, 1);
    const [first, ...others] = members(network);
    if (first)
      throw new EngineError(
        `error while removing network: network ${network.name} has active endpoints (${[first, ...others].map(({ name, container }) => `name:"${name}" id:"${container}"`).join(", ")}): disconnect or stop them first`,
        1,
      );
    // the record last: a removal that was killed can be begun again
    if (findLink(socket, network.bridge)?.alias === aliasOf(network)) deleteLink(socket, network.bridge);
    dismissBridges([network.bridge], caller.warn);
    removeTree(paths.leases(network));
    unlinkIfAny(paths.record(network.name));
    rebuildFirewall(paths, socket, openFirewall(paths), caller)?.close();
    return network;
  });
}

/** Every network of ours; the default one is made where it is missing, but not its bridge. */
export function allNetworks(paths: NetworkPaths): NetworkRecord[] {
  if (!readNetwork(paths, DEFAULT_NETWORK))
    withNetworksLocked(paths, (socket) => readNetwork(paths, DEFAULT_NETWORK) ?? makeDefault(paths, socket));
  return listNetworks(paths);
}
