import {
  conntrack,
  dnat,
  is,
  isIn,
  isNot,
  linkName,
  mapped,
  mask,
  masquerade,
  meta,
  native,
  payload,
  toLocal,
  verdict,
} from "../linux/nft-expressions.ts";
import {
  type BaseChain,
  type Expression,
  NF_ACCEPT,
  NF_DROP,
  NF_INET,
  NFPROTO,
  type SetShape,
  type Transaction,
} from "../linux/nftables.ts";
import { type Subnet, subnetOf } from "./address.ts";

/** What the firewall has to know of a network. */
export interface FirewallNetwork {
  readonly bridge: string;
  readonly subnets: readonly Subnet[];
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Its containers do not reach each other, but by published ports. */
  readonly isolateContainers: boolean;
}

/** The group (ip-link(8)) of all bridges of ours, whatever engine's they are. */
export const BRIDGE_GROUP = 0x6d79;

export const SETS: readonly SetShape[] = [
  { name: "bridges", key: ["ifname"] },
  { name: "internal", key: ["ifname"] },
  { name: "pairs", key: ["ifname", "ifname"] },
  { name: "ports4", key: ["inet_proto", "ipv4_addr", "inet_service"], data: ["ipv4_addr", "inet_service"] },
  { name: "anyports4", key: ["inet_proto", "inet_service"], data: ["ipv4_addr", "inet_service"] },
  { name: "ports6", key: ["inet_proto", "ipv6_addr", "inet_service"], data: ["ipv6_addr", "inet_service"] },
  { name: "anyports6", key: ["inet_proto", "inet_service"], data: ["ipv6_addr", "inet_service"] },
];

export const CHAINS: readonly BaseChain[] = [
  { name: "raw", type: "filter", hook: NF_INET.PRE_ROUTING, priority: -300 },
  { name: "prerouting", type: "nat", hook: NF_INET.PRE_ROUTING, priority: -100 },
  { name: "output", type: "nat", hook: NF_INET.LOCAL_OUT, priority: -100 },
  { name: "postrouting", type: "nat", hook: NF_INET.POST_ROUTING, priority: 100 },
  { name: "forward", type: "filter", hook: NF_INET.FORWARD, priority: 0 },
];

/** Where an IP header has its addresses, and how long they are. */
const IP = {
  4: { family: NFPROTO.IPV4, length: 4, source: 12, destination: 16 },
  6: { family: NFPROTO.IPV6, length: 16, source: 8, destination: 24 },
} as const;
export type Family = keyof typeof IP;
const FAMILIES: readonly Family[] = [4, 6];

const LOOPBACK = {
  4: { bytes: Uint8Array.of(127, 0, 0, 0), prefix: 8 },
  6: { bytes: new Uint8Array(16).fill(1, 15), prefix: 128 },
};

const isFamily = (family: Family): Expression[] => [meta("nfproto"), is(Uint8Array.of(IP[family].family))];
const fromLink = (name: string): Expression[] => [meta("iifname"), is(linkName(name))];
const toLink = (name: string): Expression[] => [meta("oifname"), is(linkName(name))];
const toBridges = [meta("oifname"), isIn("bridges")];
const drop = verdict(NF_DROP);
const accept = verdict(NF_ACCEPT);
/** conntrack's bits: of ct state, and IPS_DST_NAT of ct status. */
const ESTABLISHED_OR_RELATED = 2 | 4;
const DST_NAT = 32;
const isAny = (bits: number): Expression[] => [mask(native(bits)), isNot(native(0))];
const replies = [conntrack("state"), ...isAny(ESTABLISHED_OR_RELATED)];
const published = [conntrack("status"), ...isAny(DST_NAT)];

function familyOf({ bytes }: Subnet): Family {
  return bytes.length === 4 ? 4 : 6;
}

/** Whether the address at `where` of the header is in a subnet, or with `not` is not. */
function address(where: "source" | "destination", subnet: Subnet, not = false): Expression[] {
  const { length, [where]: offset } = IP[familyOf(subnet)];
  const ones = subnetOf(new Uint8Array(length).fill(0xff), subnet.prefix).bytes;
  return [payload("network", offset, length), mask(ones), not ? isNot(subnet.bytes) : is(subnet.bytes)];
}

/** All rules, in order. */
export function addRules(
  change: Transaction,
  networks: readonly FirewallNetwork[],
  guarded: readonly Family[],
): void {
  addRaw(change, networks);
  for (const chain of ["prerouting", "output"])
    for (const family of FAMILIES) addPublishing(change, chain, family);
  for (const network of networks) addMasquerade(change, network);
  addForward(change, guarded);
}

/**
 * Before anything is changed of a packet: nobody but the host itself speaks to its loopback (a port that is published there only
 * would be the neighbours' too: the kernel looks for such addresses only after it has changed them), and nobody on a bridge has
 * the address of somebody elsewhere.
 */
function addRaw(change: Transaction, networks: readonly FirewallNetwork[]): void {
  for (const family of FAMILIES) {
    const own = address("destination", LOOPBACK[family]);
    change.addRule("raw", [...isFamily(family), ...own, meta("iifname"), isNot(linkName("lo")), drop]);
  }
  for (const { bridge, subnets } of networks)
    for (const family of FAMILIES) {
      const subnet = subnets.find((one) => familyOf(one) === family);
      const others = subnet ? address("source", subnet, true) : [];
      change.addRule("raw", [
        ...fromLink(bridge),
        ...isFamily(family),
        ...others,
        ...notUnspecified(family),
        drop,
      ]);
    }
}

/** Who has no address yet may ask for one, and neighbours of IPv6 speak by link-local ones. */
function notUnspecified(family: Family): Expression[] {
  const unspecified = { bytes: new Uint8Array(IP[family].length), prefix: IP[family].length * 8 };
  if (family === 4) return address("source", unspecified, true);
  const local = { bytes: new Uint8Array(16), prefix: 10 };
  local.bytes.set([0xfe, 0x80]);
  return [...address("source", unspecified, true), ...address("source", local, true)];
}

/** Ports on one address of the host's first, then those on all. A map without the key ends its rule, not the chain. */
function addPublishing(change: Transaction, chain: string, family: Family): void {
  const { length, destination, family: protocol } = IP[family];
  const port = (slot: number): Expression => payload("transport", 2, 2, slot);
  const to = dnat(protocol, length);
  const one = [meta("l4proto"), payload("network", destination, length, 1), port(1 + length / 4)];
  change.addRule(chain, [...isFamily(family), ...one, mapped(`ports${family}`), to]);
  const any = [meta("l4proto"), port(1)];
  // what comes from ::1 cannot be sent anywhere else: it is to be refused at once, and not to hang
  const notLoopback = family === 6 && chain === "output" ? address("destination", LOOPBACK[6], true) : [];
  change.addRule(chain, [
    ...isFamily(family),
    ...notLoopback,
    ...toLocal(),
    ...any,
    mapped(`anyports${family}`),
    to,
  ]);
}

function addMasquerade(
  change: Transaction,
  { bridge, subnets, internal, masquerade: wanted }: FirewallNetwork,
): void {
  for (const subnet of subnets) {
    const family = familyOf(subnet);
    const own = [...isFamily(family), ...address("source", subnet)];
    // a container that reaches itself, or a neighbour, by a port of the host's: the answer must come back this way
    change.addRule("postrouting", [...toLink(bridge), ...own, ...published, masquerade()]);
    const loopback = [...isFamily(family), ...address("source", LOOPBACK[family])];
    change.addRule("postrouting", [...toLink(bridge), ...loopback, masquerade()]);
    if (wanted && !internal)
      change.addRule("postrouting", [meta("oifname"), isNot(linkName(bridge)), ...own, masquerade()]);
  }
}

/** Who may speak to whom through this host. What is accepted here can still be dropped by a chain of somebody else. */
function addForward(change: Transaction, guarded: readonly Family[]): void {
  const rule = (...expressions: Expression[]): Transaction => change.addRule("forward", expressions);
  rule(meta("iifname"), meta("oifname", 4), isIn("pairs"), accept);
  rule(meta("iifname"), isIn("internal"), drop);
  rule(meta("oifname"), isIn("internal"), drop);
  rule(...toBridges, ...replies, accept);
  rule(...toBridges, ...published, accept);
  rule(...toBridges, drop);
  // it was us who made this host forward: it is to be no router for its neighbours
  const foreign = isNot(native(BRIDGE_GROUP));
  for (const family of guarded)
    rule(...isFamily(family), meta("iifgroup"), foreign, meta("oifgroup"), foreign, drop);
}
