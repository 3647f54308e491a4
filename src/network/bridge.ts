import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { readTextIfAny, writeInto } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import type { NetlinkSocket } from "../linux/netlink.ts";
import { addBridge, findLink, type Link, setUpLink } from "../linux/rtnetlink.ts";
import { parseAddress, parseCidr } from "./address.ts";
import { BRIDGE_GROUP } from "./firewall-rules.ts";
import { DEFAULT_BRIDGE, type NetworkRecord } from "./record.ts";

/** What tells our bridge from somebody else's of that name. */
export function aliasOf({ id }: NetworkRecord): string {
  return `mydocker:${id.slice(0, 12)}`;
}

/** The network's bridge, where it is there, ours and up. */
export function findBridge(socket: NetlinkSocket, network: NetworkRecord): Link | undefined {
  const link = findLink(socket, network.bridge);
  return link?.up && link.alias === aliasOf(network) ? link : undefined;
}

/** Makes the network's bridge, or puts right what is there of it. */
export function makeBridge(socket: NetlinkSocket, network: NetworkRecord): void {
  const name = network.bridge;
  const there = findLink(socket, name);
  if (there && there.alias !== aliasOf(network))
    throw new EngineError(
      `cannot make the bridge of network ${network.name}: the host has a link ${name} that is not ours: remove it, or make the network again under another name`,
    );
  const made = {
    name,
    alias: aliasOf(network),
    mac: macOfBridge(network),
    mtu: network.mtu,
    group: BRIDGE_GROUP,
  };
  if (!there) addBridge(socket, made);
  const index = there?.index ?? findLink(socket, name)?.index ?? 0;
  setSysctls(network);
  const addresses = network.pools.flatMap(({ gateway, subnet }) => {
    const bytes = parseAddress(gateway);
    return bytes ? [{ bytes, prefix: parseCidr(subnet)?.prefix ?? 0 }] : [];
  });
  setUpLink(socket, name, { index, addresses, gateways: [] });
}

/** The first of `mydocker0`, `mydocker1` … that nobody has. */
export function freeBridgeName(socket: NetlinkSocket): string {
  const base = DEFAULT_BRIDGE.slice(0, -1);
  for (let number = 0; ; number++) if (!findLink(socket, `${base}${number}`)) return `${base}${number}`;
}

/** 02:42 as Docker's bridges, and four bytes of the id. */
function macOfBridge({ id }: NetworkRecord): Uint8Array {
  return Uint8Array.of(0x02, 0x42, ...Uint8Array.fromHex(id.slice(0, 8)));
}

function setSysctls(network: NetworkRecord): void {
  const name = network.bridge;
  // a port that is published on 127.0.0.1 is reached from there; the firewall keeps others from the host's loopback
  setIfThere(`net/ipv4/conf/${name}/route_localnet`, "1");
  if (hasFamily(network, 6)) {
    setIfThere(`net/ipv6/conf/${name}/disable_ipv6`, "0");
    setIfThere(`net/ipv6/conf/${name}/accept_ra`, "0");
    // nobody else is there; and without a link-local address, for which it would look for others first, it asks for nobody
    setIfThere(`net/ipv6/conf/${name}/accept_dad`, "0");
  } else setIfThere(`net/ipv6/conf/${name}/disable_ipv6`, "1");
}

/** Whether a network has addresses of IPv4 or IPv6. */
export function hasFamily({ pools }: NetworkRecord, family: 4 | 6): boolean {
  return pools.some(({ subnet }) => subnet.includes(":") === (family === 6));
}

/** Writes a setting under /proc/sys; a kernel without that protocol has none. */
export function setIfThere(key: string, value: string): void {
  try {
    writeInto(`/proc/sys/${key}`, value);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

const FORWARDING = { 4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding" } as const;

function isOff(family: 4 | 6): boolean {
  return readTextIfAny(`/proc/sys/${FORWARDING[family]}`) === "0\n";
}

/** Whether the host passes on what comes in for others, of the families that a network needs. */
export function isForwarding(network: NetworkRecord): boolean {
  return !isOff(4) && !(hasFamily(network, 6) && isOff(6));
}

/** Switches that on; `was` is told first of a family for which it was off. */
export function startForwarding(network: NetworkRecord, was: (family: 4 | 6) => void): void {
  for (const family of [4, 6] as const) {
    if (!hasFamily(network, family) || !isOff(family)) continue;
    was(family);
    if (family === 6) keepRouterAdvertisements();
    writeInto(`/proc/sys/${FORWARDING[family]}`, "1");
  }
}

/** A host that forwards does not listen to its own router any more, unless it is told to (accept_ra 2, ip-sysctl). */
function keepRouterAdvertisements(): void {
  const folder = "/proc/sys/net/ipv6/conf";
  for (const { name } of listFolder(folder))
    if (readTextIfAny(`${folder}/${name}/accept_ra`) === "1\n")
      setIfThere(`net/ipv6/conf/${name}/accept_ra`, "2");
}
