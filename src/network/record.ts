import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { readTextIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";

/** One range of addresses of a network: its subnet in CIDR form, the host's own address in it, where addresses are given from. */
export interface Pool {
  readonly subnet: string;
  readonly gateway: string;
  readonly ipRange?: string;
  /** Addresses that are somebody else's, by what they are called. */
  readonly reserved?: Readonly<Record<string, string>>;
}

/** A network as it was made, kept in ROOT/networks/NAME.json. */
export interface NetworkRecord {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** The host's link. */
  readonly bridge: string;
  /** At most one of IPv4 and one of IPv6. */
  readonly pools: readonly Pool[];
  readonly internal: boolean;
  readonly mtu: number;
  /** Whether what leaves the host has the host's address. */
  readonly masquerade: boolean;
  /** Whether its containers reach each other. */
  readonly connected: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** As they were given to `network create -o`. */
  readonly options: Readonly<Record<string, string>>;
}

/** The network that containers are in that ask for none. */
export const DEFAULT_NETWORK = "bridge";
export const DEFAULT_BRIDGE = "mydocker0";
export const DEFAULT_MTU = 1500;
/** Names that are modes, or nobody's to take. */
export const PREDEFINED: ReadonlySet<string> = new Set(["bridge", "host", "none", "default"]);
/** A file has this name, and something behind it. */
export const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/;
/** What the kernel takes, but for its own words (`all` and `default` are settings of every link). */
export const LINK_NAME = /^(?!(?:all|default)$)[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,14}$/;

/** There is no network of that name or id. */
export class NoSuchNetwork extends EngineError {
  constructor(reference: string) {
    super(
      `network ${reference} not found: 'mydocker network ls' lists them, 'mydocker network create' makes one`,
      1,
    );
  }
}

/** Tells what somebody should know, but need not stop for. */
export type Warn = (text: string) => void;

/** What networks ask of who knows containers. */
export interface Caller {
  readonly warn: Warn;
  /**
   * Frees what a container has left that is gone without giving it back; false where it is still there. With `patient` one that is
   * about to be gone is waited for.
   */
  readonly reclaim: (container: string, patient: boolean) => boolean;
}

/** Where networks are kept, what of them is only true until the next boot, and the locks on it. */
export class NetworkPaths {
  constructor(
    readonly root: string,
    readonly run: string,
  ) {}

  get networks(): string {
    return `${this.root}/networks`;
  }
  record(name: string): string {
    return `${this.networks}/${name}.json`;
  }
  /** Everything of this boot. */
  get now(): string {
    return `${this.run}/.net`;
  }
  /** Shared by who connects a container, exclusive for who makes, mends or removes a network. */
  get lock(): string {
    return `${this.now}/lock`;
  }
  /** Held by who rewrites the hosts files of containers. */
  get hostsLock(): string {
    return `${this.now}/hosts`;
  }
  /** Says that it was us who switched forwarding of a family on. */
  forwarding(family: 4 | 6): string {
    return `${this.now}/forwarding${family}`;
  }
  /** Says that the kernel has no nf_tables. */
  get noTables(): string {
    return `${this.now}/no-nftables`;
  }
  /** The addresses in use of a network: a link each, by its address, to the container's id. */
  leases(network: Pick<NetworkRecord, "id">): string {
    return `${this.now}/${network.id.slice(0, 12)}`;
  }
  /** How each container that runs is connected: a file each. */
  get attachments(): string {
    return `${this.now}/containers`;
  }
  attachment(container: string): string {
    return `${this.attachments}/${container}`;
  }
  /** Where those are taken that come by ::1, of each container with ports: a file each. */
  get relays(): string {
    return `${this.now}/relays`;
  }
  relay(container: string): string {
    return `${this.relays}/${container}`;
  }
}

/** The network of that very name; undefined where there is none. Throws where its record is damaged. */
export function readNetwork(paths: NetworkPaths, name: string): NetworkRecord | undefined {
  if (!NETWORK_NAME.test(name)) return undefined;
  let read: unknown;
  try {
    const text = readTextIfAny(paths.record(name));
    if (text === undefined) return undefined;
    read = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !isErrno(error, "EISDIR")) throw error;
  }
  if (isRecord(read) && read.name === name) return read;
  throw new EngineError(
    `the record of network ${name} is damaged: remove ${paths.record(name)} and make it again`,
    1,
  );
}

/** Whether it is one as we write them: what is read of it goes into paths, and to the kernel. */
function isRecord(value: unknown): value is NetworkRecord {
  if (typeof value !== "object" || value === null) return false;
  const { id, name, created, bridge, pools, mtu, labels, options } = value as Record<string, unknown>;
  return (
    typeof id === "string" &&
    /^[0-9a-f]{64}$/.test(id) &&
    [name, created].every((one) => typeof one === "string") &&
    typeof bridge === "string" &&
    LINK_NAME.test(bridge) &&
    typeof mtu === "number" &&
    [labels, options].every((one) => typeof one === "object" && one !== null) &&
    Array.isArray(pools) &&
    pools.length > 0 &&
    pools.every(isPool)
  );
}

function isPool(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { subnet, gateway } = value as Record<string, unknown>;
  return typeof subnet === "string" && typeof gateway === "string" && subnet.includes("/");
}

/** Every network there is, by name; damaged records are left out. */
export function listNetworks(paths: NetworkPaths): NetworkRecord[] {
  const found: NetworkRecord[] = [];
  for (const { name } of listFolder(paths.networks)) {
    if (!name.endsWith(".json")) continue;
    try {
      const record = readNetwork(paths, name.slice(0, -5));
      if (record) found.push(record);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The network of that name, id, or unique beginning of an id. Throws NoSuchNetwork. */
export function findNetwork(paths: NetworkPaths, reference: string): NetworkRecord {
  const named = readNetwork(paths, reference);
  if (named) return named;
  const matches = /^[0-9a-f]+$/.test(reference)
    ? listNetworks(paths).filter(({ id }) => id.startsWith(reference))
    : [];
  if (matches.length > 1)
    throw new EngineError(
      `network ${reference} is ambiguous (${matches.length} matches found on name): give more of the id`,
      1,
    );
  if (matches[0]) return matches[0];
  throw new NoSuchNetwork(reference);
}
