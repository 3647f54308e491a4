import { EngineError } from "../linux/errors.ts";
import { close, lock, lockShared, mkdirAll, O, open } from "../linux/file.ts";
import { NETLINK, NetlinkSocket } from "../linux/netlink.ts";
import { exists } from "../linux/stat.ts";
import { findBridge, isForwarding } from "./bridge.ts";
import { Firewall, NoNfTables } from "./firewall.ts";
import { mend } from "./mend.ts";
import {
  type Caller,
  DEFAULT_NETWORK,
  findNetwork,
  type NetworkPaths,
  type NetworkRecord,
  readNetwork,
} from "./record.ts";

/** A network whose bridge is there, and its index. */
export interface ReadyNetwork {
  readonly record: NetworkRecord;
  readonly index: number;
}

/** Networks that are ready for containers, and cannot be removed until `release`. */
export interface Ready {
  readonly networks: readonly ReadyNetwork[];
  readonly socket: NetlinkSocket;
  /** Undefined where the kernel has no nf_tables. */
  readonly firewall: Firewall | undefined;
  release(): void;
}

/** Opens the lock of all networks; it is taken by the caller. */
export function openNetworkLock(paths: NetworkPaths): number {
  if (!exists(paths.attachments) || !exists(paths.networks))
    for (const folder of [paths.now, paths.attachments, paths.networks]) mkdirAll(folder, 0o700);
  return open(paths.lock, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
}

/**
 * Makes sure that networks, by name or id, work: the default one is made where it is missing, and what somebody has flushed or
 * removed, or a boot has taken, is made again. Quick where nothing is missing: two questions to the kernel a network.
 */
export function readyNetworks(paths: NetworkPaths, references: readonly string[], caller: Caller): Ready {
  const fd = openNetworkLock(paths);
  const socket = new NetlinkSocket(NETLINK.ROUTE);
  let firewall = openFirewall(paths);
  try {
    lockShared(fd);
    let networks = lookAt(paths, socket, firewall, references);
    if (!networks) {
      lock(fd, true);
      firewall = mend(paths, socket, firewall, references, caller);
      networks = lookAt(paths, socket, firewall, references);
      if (!networks)
        throw new EngineError(`cannot set up network ${references.join(", ")}: somebody undoes it`);
    }
    let held = true;
    const release = (): void => {
      if (held) close(fd);
      held = false;
    };
    return { networks, socket, firewall, release };
  } catch (error) {
    socket.close();
    firewall?.close();
    close(fd);
    throw error;
  }
}

/** A table for each folder of state, so that two engines on one host do not undo each other's. */
export function tableOf({ root }: NetworkPaths): string {
  if (root === "/var/lib/mydocker") return "mydocker";
  let hash = 0x811c9dc5;
  for (const letter of root) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return `mydocker-${hash.toString(16)}`;
}

export function openFirewall(paths: NetworkPaths): Firewall | undefined {
  if (exists(paths.noTables)) return undefined;
  try {
    return new Firewall(tableOf(paths));
  } catch (error) {
    // told when the network is made
    if (error instanceof NoNfTables) return undefined;
    throw error;
  }
}

/** The networks where nothing is missing; undefined where something is. */
function lookAt(
  paths: NetworkPaths,
  socket: NetlinkSocket,
  firewall: Firewall | undefined,
  references: readonly string[],
): ReadyNetwork[] | undefined {
  const found: ReadyNetwork[] = [];
  for (const reference of references) {
    const record =
      reference === DEFAULT_NETWORK ? readNetwork(paths, reference) : findNetwork(paths, reference);
    const link = record && findBridge(socket, record);
    if (!link || !isForwarding(record)) return undefined;
    if (firewall ? !isUsable(firewall, record) : !exists(paths.noTables)) return undefined;
    found.push({ record, index: link.index });
  }
  return found;
}

function isUsable(firewall: Firewall, { bridge }: NetworkRecord): boolean {
  return firewall.knows(bridge) && !firewall.isShutOut(bridge);
}
