import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { mkdirIfMissing, readlinkIfAny, rename, symlink, unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import {
  contains,
  formatAddress,
  nthAddress,
  offsetIn,
  parseAddress,
  parseSubnet,
  type Subnet,
  subnetSize,
} from "./address.ts";
import type { Caller, NetworkPaths, NetworkRecord, Pool } from "./record.ts";

/** Where the search for the next address begins: the address that was given last. */
const LAST = ".last";
const LAST6 = ".last6";

/** An address that a container has: a link `leases(network)/ADDRESS → container`, which only one process can make. */
export interface Lease {
  readonly address: string;
  readonly container: string;
}

/** The addresses of a network that are in use, or were when their container's monitor was killed. */
export function listLeases(paths: NetworkPaths, network: Pick<NetworkRecord, "id">): Lease[] {
  const folder = paths.leases(network);
  const leases: Lease[] = [];
  for (const { name } of listFolder(folder)) {
    const container = name.startsWith(".") ? undefined : readlinkIfAny(`${folder}/${name}`);
    if (container !== undefined) leases.push({ address: name, container });
  }
  return leases;
}

/** Gives an address back; nothing where it is not that container's. */
export function releaseLease(
  paths: NetworkPaths,
  network: Pick<NetworkRecord, "id">,
  { address, container }: Lease,
): void {
  const path = `${paths.leases(network)}/${address}`;
  if (readlinkIfAny(path) === container) unlinkIfAny(path);
}

/** Who asks for an address, and what becomes of those whose owner is gone. */
export interface LeaseRequest {
  readonly container: string;
  readonly wanted?: string;
  readonly reclaim: Caller["reclaim"];
}

/** An address of `pool` for a container: the wanted one, else the next after the one that was given last. */
export function leaseAddress(
  paths: NetworkPaths,
  network: NetworkRecord,
  pool: Pool,
  request: LeaseRequest,
): string {
  const folder = paths.leases(network);
  mkdirIfMissing(folder, 0o700);
  return request.wanted === undefined
    ? leaseNext(folder, network, pool, request)
    : leaseWanted(folder, network, pool, request, request.wanted);
}

function take(folder: string, address: string, container: string): boolean {
  try {
    symlink(container, `${folder}/${address}`);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

function leaseWanted(
  folder: string,
  network: NetworkRecord,
  pool: Pool,
  { container, reclaim }: LeaseRequest,
  wanted: string,
): string {
  const bytes = parseAddress(wanted);
  const subnet = parseSubnet(pool.subnet);
  if (!bytes || !subnet || !contains(subnet, bytes))
    throw new EngineError(
      `invalid address ${wanted}: It does not belong to any of this network's subnets: ${network.name} has ${pool.subnet}`,
    );
  const address = formatAddress(bytes);
  if (isReserved(pool, subnet, bytes))
    throw new EngineError(`cannot use address ${wanted}: network ${network.name} needs it for itself`);
  for (let tries = 0; ; tries++) {
    if (take(folder, address, container)) return address;
    const owner = readlinkIfAny(`${folder}/${address}`);
    if (owner === container) return address;
    if (owner !== undefined && (tries > 3 || !reclaim(owner, true)))
      throw new EngineError(`Address already in use: ${address} is that of container ${owner}`);
  }
}

/** The network's own address, the broadcast address, the host's, and what was set aside. */
function isReserved(pool: Pool, subnet: Subnet, address: Uint8Array): boolean {
  const text = formatAddress(address);
  if (text === pool.gateway || Object.values(pool.reserved ?? {}).includes(text)) return true;
  const size = subnetSize(subnet);
  const offset = offsetIn(subnet, address);
  return size > 2 && (offset === 0 || (address.length === 4 && offset === size - 1));
}

/** As many addresses as are looked at in a range of any size. */
const MOST_TRIES = 1 << 17;

function leaseNext(
  folder: string,
  network: NetworkRecord,
  pool: Pool,
  { container, reclaim }: LeaseRequest,
): string {
  const subnet = parseSubnet(pool.subnet);
  const range = parseSubnet(pool.ipRange ?? pool.subnet);
  if (!subnet || !range) throw new EngineError(`the record of network ${network.name} is damaged`, 1);
  const lastName = subnet.bytes.length === 4 ? LAST : LAST6;
  for (let tries = 0; tries < 2; tries++) {
    const taken = new Set(listFolder(folder).map(({ name }) => name));
    const last = parseAddress(readlinkIfAny(`${folder}/${lastName}`) ?? "");
    const size = subnetSize(range);
    const next = last && contains(range, last) ? offsetIn(range, last) + 1 : 0;
    // in a range of IPv6 that is more than a number holds exactly: the first ones are as good as any
    const first = Number.isSafeInteger(next) ? next : 0;
    const count = Math.min(size, MOST_TRIES);
    for (let n = 0; n < count; n++) {
      const bytes = nthAddress(range, (first + n) % size);
      const address = formatAddress(bytes);
      if (taken.has(address) || isReserved(pool, subnet, bytes)) continue;
      if (!take(folder, address, container)) continue;
      remember(folder, lastName, address);
      return address;
    }
    const owners = new Set(listOwners(folder));
    if (
      ![...owners]
        .filter((owner) => owner !== container)
        .map((owner) => reclaim(owner, true))
        .includes(true)
    )
      break;
  }
  throw new EngineError(
    `no available ${subnet.bytes.length === 4 ? "IPv4" : "IPv6"} addresses on this network's address pools: ${network.name} (${range === subnet ? pool.subnet : (pool.ipRange ?? pool.subnet)}): remove containers, or make a network with a larger subnet`,
  );
}

function listOwners(folder: string): string[] {
  return listFolder(folder).flatMap(({ name }) =>
    name.startsWith(".") ? [] : (readlinkIfAny(`${folder}/${name}`) ?? []),
  );
}

/** An address is not given again at once: who has had it may take a moment to be gone from the bridge. */
function remember(folder: string, name: string, address: string): void {
  const aside = `${folder}/${name}.${process.pid}`;
  unlinkIfAny(aside);
  symlink(address, aside);
  rename(aside, `${folder}/${name}`);
}
