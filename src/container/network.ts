import { EngineError } from "../linux/errors.ts";
import { close, unlinkIfAny, writeFile } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import { type Attachment, readAttachment } from "../network/attachment.ts";
import { listLeases } from "../network/leases.ts";
import type { Member } from "../network/make.ts";
import {
  type Caller,
  DEFAULT_NETWORK,
  type NetworkPaths,
  type NetworkRecord,
  NoSuchNetwork,
  type Warn,
} from "../network/record.ts";
import { releaseAttachment } from "../network/release.ts";
import { Wiring, type WiringRequest } from "../network/wiring.ts";
import { refreshPeers } from "./hosts.ts";
import { isRunning } from "./liveness.ts";
import { networkPaths, type Paths } from "./paths.ts";
import { type ContainerRecord, ownerOf } from "./record.ts";
import { ID, NoSuchContainer, readState, recordIfAny, tryLock } from "./store.ts";

/** How a container is connected now; undefined where it is in no network, or does not run. */
export function attachmentOf(paths: Paths, id: string): Attachment | undefined {
  return readAttachment(networkPaths(paths), id);
}

/** Chooses and holds what a container needs of its networks; undefined where it is in none. The caller holds its lock. */
export function planNetwork(
  paths: Paths,
  record: ContainerRecord,
  hostname: string,
  warn: Warn,
): Wiring | undefined {
  const { id, name, endpoints = [], ports = [] } = record;
  if (endpoints.length === 0) return undefined;
  // also for what is chosen only now: it is there before anything is made that it speaks of
  if (needsSettling(record)) writeFile(paths.unsettled(id), "");
  return planOf(networkPaths(paths), {
    container: id,
    name,
    hostname,
    endpoints,
    ports,
    ...callerOf(paths, warn),
  });
}

/** As Docker: of a network that there is none of the engine says so in its own way, also to a run. */
function planOf(network: NetworkPaths, request: WiringRequest): Wiring {
  try {
    return Wiring.plan(network, request);
  } catch (error) {
    throw error instanceof NoSuchNetwork ? new EngineError(error.message) : error;
  }
}

/** Whether more is left of a run than the monitor can give back: ports, or its name in the hosts files of others. */
function needsSettling({ endpoints = [], ports = [] }: ContainerRecord): boolean {
  return ports.length > 0 || endpoints.some(({ network }) => network !== DEFAULT_NETWORK);
}

/** What the monitor of a container removes at its end, unless that says that there is more to give back. */
export function undoOfNetwork(paths: Paths, { container, endpoints }: Attachment): string[] {
  const network = networkPaths(paths);
  const leases = endpoints.flatMap(({ networkId, addresses }) =>
    addresses.map(({ address }) => `${network.leases({ id: networkId })}/${address}`),
  );
  return [...leases, network.attachment(container)].map((path) => `unlink ${path}`);
}

/** What networks ask of us. */
export function callerOf(paths: Paths, warn: Warn): Caller {
  return { warn, reclaim: (id, patient) => reclaim(paths, id, patient) };
}

/** How long a container that has ended may take to give back what it has, in ms. */
const PATIENCE = 2000;

/** Frees what a container has that is gone: nobody holds its lock. One that runs is never waited for. */
function reclaim(paths: Paths, id: string, patient: boolean): boolean {
  // a lease is a link that says what it likes
  if (!ID.test(id)) return false;
  const end = performance.now() + (patient ? PATIENCE : 0);
  for (;;) {
    const lock = lockOf(paths, id);
    if (lock !== undefined) {
      releaseNetwork(paths, id, true);
      if (lock !== GONE) close(lock);
      return true;
    }
    if (performance.now() >= end || isUp(paths, id)) return false;
    Bun.sleepSync(5);
  }
}

const GONE = -1;

/** The lock on a container's folder, GONE where there is no folder; undefined where somebody else has it. */
function lockOf(paths: Paths, id: string): number | undefined {
  try {
    return tryLock(paths, id);
  } catch (error) {
    if (error instanceof NoSuchContainer) return GONE;
    throw error;
  }
}

function isUp(paths: Paths, id: string): boolean {
  const record = recordIfAny(paths, id);
  return record !== undefined && isRunning(readState(paths, record));
}

/** The containers that are in a network now, or are being put there. What others have left that were killed is taken back. */
export function membersOf(paths: Paths, network: NetworkRecord): Member[] {
  const owners = new Set(listLeases(networkPaths(paths), network).map(({ container }) => container));
  const members: Member[] = [];
  for (const container of owners) {
    if (reclaim(paths, container, true)) continue;
    members.push({ container, name: attachmentOf(paths, container)?.name ?? container });
  }
  return members;
}

/**
 * Takes back what a run has of networks, and its name from those who knew it. The caller holds the container's lock. `search`:
 * the run may have been killed before it had written down what it has.
 */
export function releaseNetwork(paths: Paths, id: string, search = false): void {
  const attachment = attachmentOf(paths, id);
  const network = networkPaths(paths);
  // what it had is looked for also where that cannot be read
  const damaged = !attachment && exists(network.attachment(id));
  if (attachment || search || damaged) releaseAttachment(network, id, search || damaged);
  if (attachment) refreshPeers(paths, attachment);
  unlinkIfAny(paths.unsettled(id));
}

/** The container whose network a record says it shares. */
export function sharedWith({ network }: ContainerRecord): string | undefined {
  return ownerOf(network);
}

/** The container whose files of /etc a container has: its own, or of who shares their network the first one's. */
export function namesOwner(paths: Paths, record: ContainerRecord): string {
  let owner = record.id;
  let shared = sharedWith(record);
  // nobody can share with one that was made after it
  for (const seen = new Set([owner]); shared !== undefined && !seen.has(shared); seen.add(owner)) {
    owner = shared;
    const next = recordIfAny(paths, owner);
    shared = next && sharedWith(next);
  }
  return owner;
}
