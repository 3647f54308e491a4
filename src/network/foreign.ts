import { isErrno } from "../linux/errno.ts";
import { NETLINK, NetlinkSocket, numberOf } from "../linux/netlink.ts";
import { counter, is, linkName, META, meta, verdict } from "../linux/nft-expressions.ts";
import {
  findChain,
  type ListedChain,
  type ListedExpression,
  type ListedRule,
  listChains,
  listRules,
  NF_ACCEPT,
  NF_DROP,
  NFPROTO,
  Transaction,
} from "../linux/nftables.ts";
import type { Warn } from "./record.ts";

/** Where others decide about all that is forwarded, with what they let pass by themselves. */
function isForeign({ family, table, name, policy }: ListedChain, all: readonly ListedChain[]): boolean {
  if (family === NFPROTO.INET) return table === "firewalld" && name === "filter_FORWARD";
  if (table !== "filter" || (family !== NFPROTO.IPV4 && family !== NFPROTO.IPV6)) return false;
  if (name === "DOCKER-USER") return true;
  const docker = all.some(
    (one) => one.family === family && one.table === table && one.name === "DOCKER-USER",
  );
  return name === "FORWARD" && policy === NF_DROP && !docker;
}

function foreignChains(socket: NetlinkSocket): ListedChain[] {
  const all = listChains(socket);
  return all.filter((chain) => isForeign(chain, all));
}

type Direction = "iifname" | "oifname";

/**
 * Lets what comes from and goes to our bridges pass the chains of others that drop what they do not know: an accept of ours is
 * no accept of theirs. Docker sets the policy of FORWARD so (its own chain for that is DOCKER-USER), and firewalld refuses what
 * comes by links of no zone. Our own forward chain decides about these packets. Rules that are there already stay.
 */
export function admitBridges(bridges: readonly string[], warn: Warn): void {
  eachForeign(warn, (socket, { family, table, name }) => {
    const change = new Transaction(family, table);
    const present = listRules(socket, family, table, name);
    let missing = 0;
    for (const bridge of bridges)
      for (const direction of ["iifname", "oifname"] as const) {
        if (present.some((rule) => isOurs(rule, bridge, direction))) continue;
        change.addRule(name, [meta(direction), is(linkName(bridge)), counter(), verdict(NF_ACCEPT)], true);
        missing++;
      }
    if (missing > 0) change.commit(socket);
  });
}

/**
 * Whether somebody has come to drop what is forwarded since our bridges were admitted: Docker that was started later, say. One
 * question for each of the usual places, where they are not there.
 */
export function isShutOut(socket: NetlinkSocket, bridge: string): boolean {
  const policed = findChain(socket, NFPROTO.IPV4, "filter", "FORWARD")?.policy === NF_DROP;
  if (!policed && !findChain(socket, NFPROTO.INET, "firewalld", "filter_FORWARD")) return false;
  return foreignChains(socket).some(({ family, table, name }) => {
    const rules = listRules(socket, family, table, name);
    return !rules.some((rule) => isOurs(rule, bridge, "iifname"));
  });
}

/** Takes the rules of bridges that are gone away again. */
export function dismissBridges(bridges: readonly string[], warn: Warn): void {
  eachForeign(warn, (socket, { family, table, name }) => {
    const change = new Transaction(family, table);
    let found = 0;
    for (const rule of listRules(socket, family, table, name)) {
      const ours = bridges.some(
        (bridge) => isOurs(rule, bridge, "iifname") || isOurs(rule, bridge, "oifname"),
      );
      if (!ours) continue;
      change.deleteRule(name, rule.handle);
      found++;
    }
    if (found > 0) change.commit(socket);
  });
}

/** Whether a rule accepts all by that link, and says nothing else. */
function isOurs({ expressions }: ListedRule, bridge: string, direction: Direction): boolean {
  const [load, compare, count, decide, ...more] = expressions;
  if (!load || !compare || !count || !decide || more.length > 0) return false;
  const names = [load, compare, count, decide].map(({ name }) => name).join(" ");
  if (names !== "meta cmp counter immediate" || numberIn(load, 2) !== META[direction]) return false;
  // the kernel hands the value out as long as it is: iptables compares with the NUL, nft with all 16 bytes
  const value = compare.attributes.get(3)?.subarray(4) ?? new Uint8Array(0);
  const link = linkName(bridge);
  return value.length > bridge.length && value.every((byte, at) => byte === link[at]);
}

function numberIn({ attributes }: ListedExpression, type: number): number {
  return numberOf(attributes.get(type)?.toReversed());
}

function eachForeign(warn: Warn, use: (socket: NetlinkSocket, chain: ListedChain) => void): void {
  const socket = new NetlinkSocket(NETLINK.NETFILTER);
  try {
    for (const chain of foreignChains(socket)) {
      try {
        use(socket, chain);
      } catch (error) {
        // a table that its program keeps for itself, or that has just gone
        if (!isErrno(error, "EPERM", "ENOENT")) throw error;
        if (error.code === "EPERM")
          warn(
            `chain ${chain.name} of table ${chain.table} belongs to a program that lets nobody else change it: what containers send may be dropped there`,
          );
      }
    }
  } finally {
    socket.close();
  }
}
