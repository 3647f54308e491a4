import { EngineError } from "../linux/errors.ts";
import { readTextIfAny, writeFile, writeFileAtomic } from "../linux/file.ts";
import type { NetlinkSocket } from "../linux/netlink.ts";
import { listPrefixes } from "../linux/rtnetlink.ts";
import { exists } from "../linux/stat.ts";
import {
  formatAddress,
  formatSubnet,
  nthAddress,
  parseAddress,
  parseSubnet,
  type Subnet,
  subnetOf,
} from "./address.ts";
import { listAttachments, readAttachment } from "./attachment.ts";
import { findBridge, freeBridgeName, makeBridge, startForwarding } from "./bridge.ts";
import { type Firewall, NoNfTables } from "./firewall.ts";
import type { FirewallNetwork } from "./firewall-rules.ts";
import { admitBridges } from "./foreign.ts";
import { publishedPorts } from "./published.ts";
import {
  type Caller,
  DEFAULT_MTU,
  DEFAULT_NETWORK,
  findNetwork,
  listNetworks,
  type NetworkPaths,
  type NetworkRecord,
  readNetwork,
} from "./record.ts";
import { freeSubnet } from "./subnets.ts";

/**
 * Makes what is missing of networks: the default one itself, bridges, forwarding, our rules. The caller holds the lock alone.
 * Returns the firewall, undefined where the kernel has no nf_tables.
 */
export function mend(
  paths: NetworkPaths,
  socket: NetlinkSocket,
  firewall: Firewall | undefined,
  references: readonly string[],
  caller: Caller,
): Firewall | undefined {
  for (const reference of references) {
    const record =
      reference === DEFAULT_NETWORK
        ? (readNetwork(paths, reference) ?? makeDefault(paths, socket))
        : findNetwork(paths, reference);
    makeBridge(socket, keepBridgeName(paths, socket, record));
    beginForwarding(paths, record);
  }
  return rebuildFirewall(paths, socket, firewall, caller);
}

/** Switches forwarding on, and remembers that it was us. */
export function beginForwarding(paths: NetworkPaths, record: NetworkRecord): void {
  startForwarding(record, (family) => writeFile(paths.forwarding(family), ""));
}

/** Where somebody else has taken the name of the default bridge meanwhile, it gets another one. */
function keepBridgeName(paths: NetworkPaths, socket: NetlinkSocket, record: NetworkRecord): NetworkRecord {
  if (record.name !== DEFAULT_NETWORK || findBridge(socket, record)) return record;
  const bridge = freeBridgeName(socket);
  if (bridge === record.bridge) return record;
  const renamed = { ...record, bridge };
  writeNetwork(paths, renamed);
  return renamed;
}

/** Makes our table anew, from the networks that there are and the ports of the containers that run. */
export function rebuildFirewall(
  paths: NetworkPaths,
  socket: NetlinkSocket,
  firewall: Firewall | undefined,
  caller: Caller,
): Firewall | undefined {
  const networks = listNetworks(paths).filter((network) => findBridge(socket, network));
  try {
    if (!firewall) throw new NoNfTables();
    const attached = listAttachments(paths).filter(
      ({ container, ports }) => ports.length > 0 && !caller.reclaim(container, false),
    );
    const guarded = ([4, 6] as const).filter((family) => exists(paths.forwarding(family)));
    firewall.rebuild(networks.map(firewallNetwork), attached.flatMap(publishedPorts), guarded);
    // who has given its ports back meanwhile has them no more (release.ts)
    const gone = attached.filter(({ container }) => !readAttachment(paths, container));
    firewall.unpublish(gone.flatMap(publishedPorts));
    admitBridges(
      networks.map(({ bridge }) => bridge),
      caller.warn,
    );
    return firewall;
  } catch (error) {
    if (!(error instanceof NoNfTables)) throw error;
    firewall?.close();
    const told = exists(paths.noTables);
    writeFile(paths.noTables, "");
    if (told) return undefined;
    caller.warn(
      "this kernel has no nf_tables: containers on a bridge network reach each other and this host, but nothing beyond it, and networks are not kept apart",
    );
    return undefined;
  }
}

function firewallNetwork({ bridge, pools, internal, masquerade, connected }: NetworkRecord): FirewallNetwork {
  const subnets = pools.flatMap(({ subnet }) => parseSubnet(subnet) ?? []);
  return { bridge, subnets, internal, masquerade, isolateContainers: !connected };
}

export function writeNetwork(paths: NetworkPaths, record: NetworkRecord): void {
  writeFileAtomic(paths.record(record.name), JSON.stringify(record), true);
}

/** 64 hexadecimal digits. */
export function newNetworkId(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

const LEAST_PREFIX = 8;

/** What must not be used for a network: what the host's links and routes, its resolvers, and other networks of ours have. */
export function takenSubnets(paths: NetworkPaths, socket: NetlinkSocket): Subnet[] {
  const ours = listNetworks(paths).flatMap(({ pools }) =>
    pools.flatMap(({ subnet }) => parseSubnet(subnet) ?? []),
  );
  // half of all addresses, or more, is a way to the rest of the world, and not somebody's network
  const hosts = listPrefixes(socket)
    .filter(({ prefix }) => prefix >= LEAST_PREFIX)
    .map(({ bytes, prefix }) => subnetOf(bytes, prefix));
  const resolvers = [
    ...(readTextIfAny("/etc/resolv.conf") ?? "").matchAll(/^\s*nameserver\s+(\S+)/gm),
  ].flatMap(([, text = ""]) => {
    const bytes = parseAddress(text);
    return bytes ? [subnetOf(bytes, bytes.length * 8)] : [];
  });
  return [...ours, ...hosts, ...resolvers];
}

/** A pool of that subnet, with the first address as the host's. */
export function poolOf(subnet: Subnet): { subnet: string; gateway: string } {
  return { subnet: formatSubnet(subnet), gateway: formatAddress(nthAddress(subnet, 1)) };
}

export function makeDefault(paths: NetworkPaths, socket: NetlinkSocket): NetworkRecord {
  const subnet = freeSubnet(takenSubnets(paths, socket));
  if (!subnet)
    throw new EngineError(
      "cannot make the default network: the host's routes leave no private subnet free: use --network none or host, or make one with 'mydocker network create --subnet'",
    );
  const record: NetworkRecord = {
    id: newNetworkId(),
    name: DEFAULT_NETWORK,
    created: new Date().toISOString(),
    bridge: freeBridgeName(socket),
    pools: [poolOf(subnet)],
    internal: false,
    mtu: DEFAULT_MTU,
    masquerade: true,
    connected: true,
    labels: {},
    options: {},
  };
  writeNetwork(paths, record);
  return record;
}
