import { forgetFlows } from "../linux/conntrack.ts";
import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { NETLINK, NetlinkSocket } from "../linux/netlink.ts";
import { linkName } from "../linux/nft-expressions.ts";
import { NFPROTO, readElements, type SetElement, Transaction } from "../linux/nftables.ts";
import { addRules, CHAINS, type Family, type FirewallNetwork, SETS } from "./firewall-rules.ts";
import { isShutOut } from "./foreign.ts";
import type { Protocol } from "./wish.ts";

/** A port of the host's that leads to one of a container's; addresses are 4 or 16 bytes, the host's all zero for any. */
export interface PublishedPort {
  readonly protocol: Protocol;
  readonly hostAddress: Uint8Array;
  readonly hostPort: number;
  readonly address: Uint8Array;
  readonly port: number;
}

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;

/** This kernel cannot filter: it has no nf_tables, or not for this. */
export class NoNfTables extends EngineError {
  constructor() {
    super("this kernel has no nf_tables");
  }
}

const MISSING = ["EOPNOTSUPP", "EPROTONOSUPPORT", "EAFNOSUPPORT", "ENOENT"];

function withoutTables<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isErrno(error, ...MISSING) ? new NoNfTables() : error;
  }
}

/** Our table of nf_tables, in the network namespace of the thread that opens it. */
export class Firewall {
  private readonly socket: NetlinkSocket;

  /** Throws NoNfTables. */
  constructor(private readonly table: string) {
    this.socket = withoutTables(() => new NetlinkSocket(NETLINK.NETFILTER));
  }

  close(): void {
    this.socket.close();
  }

  /** Whether our table is there, and has this network: one question. */
  knows(bridge: string): boolean {
    try {
      return this.read("bridges", [linkName(bridge)]).length > 0;
    } catch {
      // whatever is wrong: the table is made anew then, which says so
      return false;
    }
  }

  /** Whether a chain of somebody else drops what this bridge forwards. */
  isShutOut(bridge: string): boolean {
    return isShutOut(this.socket, bridge);
  }

  /**
   * Makes the whole table anew, at once: no packet meets half of one. What is nobody's of ours is not forwarded, of the
   * `guarded` families. Throws NoNfTables.
   */
  rebuild(
    networks: readonly FirewallNetwork[],
    ports: readonly PublishedPort[],
    guarded: readonly Family[],
  ): void {
    const change = this.change().addTable().deleteTable().addTable();
    for (const set of SETS) change.addSet(set);
    for (const chain of CHAINS) change.addChain(chain);
    change.addElements(
      "bridges",
      networks.map(({ bridge }) => ({ key: linkName(bridge) })),
    );
    const internal = networks.filter((network) => network.internal);
    change.addElements(
      "internal",
      internal.map(({ bridge }) => ({ key: linkName(bridge) })),
    );
    const open = networks.filter((network) => !network.isolateContainers);
    change.addElements(
      "pairs",
      open.map(({ bridge }) => ({ key: joined([linkName(bridge), linkName(bridge)]) })),
    );
    addRules(change, networks, guarded);
    for (const [map, elements] of elementsOf(ports)) change.addElements(map, elements);
    withoutTables(() => change.commit(this.socket));
  }

  /** Lets ports lead to a container, wherever they may have led before. */
  publish(ports: readonly PublishedPort[]): void {
    const maps = elementsOf(ports);
    const add = (change: Transaction): void => {
      for (const [map, elements] of maps) change.addElements(map, elements);
      change.commit(this.socket);
    };
    try {
      add(this.change());
    } catch (error) {
      if (!isErrno(error, "EEXIST", "EBUSY")) throw error;
      // of a container that was killed together with its monitor
      const change = this.change();
      for (const [map, elements] of maps)
        change.deleteElements(
          map,
          this.read(
            map,
            elements.map(({ key }) => key),
          ),
        );
      add(change);
    }
    this.forgetFlows(ports);
  }

  /** The reverse; those that are not there, or lead elsewhere by now, are passed over. */
  unpublish(ports: readonly PublishedPort[]): void {
    const change = this.change();
    let found = 0;
    for (const [map, elements] of elementsOf(ports)) {
      const there = this.read(
        map,
        elements.map(({ key }) => key),
      );
      const ours = there.filter((one) => elements.some((element) => isSame(one, element)));
      change.deleteElements(map, ours);
      found += ours.length;
    }
    if (found > 0) change.commit(this.socket);
    if (found > 0) this.forgetFlows(ports);
  }

  /**
   * UDP knows no end: who goes on sending from the same port is held to where its first packet went, be it to the host, or to a
   * container that is gone.
   */
  private forgetFlows(ports: readonly PublishedPort[]): void {
    for (const [length, family] of [
      [4, NFPROTO.IPV4],
      [16, NFPROTO.IPV6],
    ] as const) {
      const wanted = ports.filter(({ protocol, address }) => protocol === "udp" && address.length === length);
      if (wanted.length === 0) continue;
      try {
        forgetFlows(this.socket, family, ({ protocol, destination, port }) => {
          const fits = (one: PublishedPort): boolean =>
            one.hostPort === port && (isAny(one.hostAddress) || isEqual(one.hostAddress, destination));
          return protocol === PROTOCOLS.udp && wanted.some(fits);
        });
      } catch (error) {
        // a kernel without that interface
        if (!isErrno(error, ...MISSING, "EINVAL")) throw error;
      }
    }
  }

  /** Removes the table; no error where there is none. */
  remove(): void {
    this.change().addTable().deleteTable().commit(this.socket);
  }

  private read(set: string, keys: readonly Uint8Array[]): SetElement[] {
    return readElements(this.socket, NFPROTO.INET, this.table, set, keys);
  }

  private change(): Transaction {
    return new Transaction(NFPROTO.INET, this.table);
  }
}

/** The elements by the map that they belong into; of two with one key the last. */
function elementsOf(ports: readonly PublishedPort[]): Map<string, SetElement[]> {
  const maps = new Map<string, Map<string, SetElement>>();
  for (const { protocol, hostAddress, hostPort, address, port } of ports) {
    const family = address.length === 4 ? 4 : 6;
    const any = isAny(hostAddress);
    const transport = Uint8Array.of(PROTOCOLS[protocol], 0, 0, 0);
    const key = joined(
      any ? [transport, portBytes(hostPort)] : [transport, hostAddress, portBytes(hostPort)],
    );
    const map = `${any ? "any" : ""}ports${family}`;
    const elements = maps.get(map) ?? new Map<string, SetElement>();
    elements.set(key.join(), { key, data: joined([address, portBytes(port)]) });
    maps.set(map, elements);
  }
  return new Map([...maps].map(([map, elements]) => [map, [...elements.values()]]));
}

function isSame(one: SetElement, other: SetElement): boolean {
  return isEqual(one.key, other.key) && isEqual(one.data ?? one.key, other.data ?? other.key);
}

function isAny(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff, 0, 0);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
