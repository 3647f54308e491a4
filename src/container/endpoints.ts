import { EngineError, undone } from "../linux/errors.ts";
import { close, O, open, writeFile } from "../linux/file.ts";
import { CLONE } from "../linux/mount.ts";
import { NETLINK, NetlinkSocket } from "../linux/netlink.ts";
import { openPidfd } from "../linux/process.ts";
import { addRoutes, deleteLink } from "../linux/rtnetlink.ts";
import { parseAddress } from "../network/address.ts";
import { type Attachment, type Endpoint, writeAttachment } from "../network/attachment.ts";
import { releaseLease } from "../network/leases.ts";
import { publishedPorts } from "../network/published.ts";
import { openFirewall, readyNetworks } from "../network/ready.ts";
import type { Warn } from "../network/record.ts";
import { writeRelay } from "../network/relay.ts";
import { releaseLeases } from "../network/release.ts";
import { chooseEndpoint, defaultRouters, makeLink, setUpEndpoint } from "../network/wiring.ts";
import type { EndpointWish } from "../network/wish.ts";
import { inNamespaces } from "../runtime/launch.ts";
import { changeOwnHosts, refreshPeers } from "./hosts.ts";
import { isRunning } from "./liveness.ts";
import { attachmentOf, callerOf } from "./network.ts";
import { networkPaths, type Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { readContainer } from "./store.ts";

/** Connects a container that runs to one more network; nothing of it is left where that fails. */
export function connectRunning(
  paths: Paths,
  record: ContainerRecord,
  state: State,
  wish: EndpointWish,
  warn: Warn,
): void {
  const { id } = record;
  const network = networkPaths(paths);
  const before = attachmentOf(paths, id) ?? emptyAttachment(paths, record);
  const caller = callerOf(paths, warn);
  const ready = readyNetworks(network, [wish.network], caller);
  let endpoint: Endpoint | undefined;
  try {
    if (before.endpoints.some(({ networkId }) => networkId === ready.networks[0]?.record.id))
      throw new EngineError(`container ${record.name} is attached to network ${wish.network} already`, 1);
    const number = firstFree(before.endpoints.map((one) => Number(one.interface.slice("eth".length))));
    endpoint = chooseEndpoint(network, ready.networks[0], wish, number, {
      container: id,
      reclaim: caller.reclaim,
    });
    // the monitor's own list does not have it
    writeFile(paths.unsettled(id), "");
    const after = { ...before, endpoints: [...before.endpoints, endpoint] };
    writeAttachment(network, after);
    ready.release();
    // the way to everywhere else stays what it was, where there was one
    const routed = before.endpoints.some(({ internal }) => !internal);
    const routers = routed ? new Set<string>() : defaultRouters([endpoint]);
    const netns = open(`/proc/${state.pid}/ns/net`, O.RDONLY);
    try {
      makeLink(ready.socket, ready.networks[0], endpoint, netns, before.ports.length > 0);
    } finally {
      close(netns);
    }
    inside(record, state, (socket) => setUpEndpoint(socket, endpoint as Endpoint, routers));
    changeOwnHosts(
      paths,
      id,
      [],
      endpoint.addresses.map(({ address }) => ({ address, names: [before.hostname] })),
    );
    // they may have led nowhere until now
    if (after.ports.length > 0) ready.firewall?.publish(publishedPorts(after));
    refreshPeers(paths, after);
  } catch (error) {
    throw undone(error, () => {
      if (!endpoint) return;
      deleteLink(ready.socket, endpoint.veth);
      releaseEndpoint(paths, id, endpoint);
      writeAttachment(network, before);
    });
  } finally {
    ready.release();
    ready.socket.close();
    ready.firewall?.close();
  }
}

function emptyAttachment(paths: Paths, { id, name }: ContainerRecord): Attachment {
  return { container: id, name, hostname: readContainer(paths, id).spec.hostname, endpoints: [], ports: [] };
}

function firstFree(numbers: readonly number[]): number {
  for (let number = 0; ; number++) if (!numbers.includes(number)) return number;
}

/**
 * Makes true what the record of a container that runs says: takes it out of networks that are not in it, and gives back
 * addresses that a connect which was killed has not even written down. Its ports lead where they can.
 */
export function settleEndpoints(paths: Paths, record: ContainerRecord, state: State): void {
  const wanted = new Set((record.endpoints ?? []).map(({ network }) => network));
  const network = networkPaths(paths);
  let present = attachmentOf(paths, record.id);
  for (const endpoint of present?.endpoints ?? [])
    if (present && !wanted.has(endpoint.network))
      present = disconnectRunning(paths, record, state, present, endpoint);
  const held = new Set(
    (present?.endpoints ?? []).flatMap((one) => one.addresses.map(({ address }) => address)),
  );
  releaseLeases(network, record.id, (address) => !held.has(address));
  if (!present || present.ports.length === 0) return;
  writeRelay(network, present);
  const firewall = openFirewall(network);
  firewall?.publish(publishedPorts(present));
  firewall?.close();
}

/** Takes a container out of a network; returns how it is connected then. Its ports lead nowhere until they are published again. */
function disconnectRunning(
  paths: Paths,
  record: ContainerRecord,
  state: State,
  before: Attachment,
  endpoint: Endpoint,
): Attachment {
  const network = networkPaths(paths);
  const after = { ...before, endpoints: before.endpoints.filter((one) => one.veth !== endpoint.veth) };
  const firewall = before.ports.length > 0 ? openFirewall(network) : undefined;
  firewall?.unpublish(publishedPorts(before));
  firewall?.close();
  const socket = new NetlinkSocket(NETLINK.ROUTE);
  deleteLink(socket, endpoint.veth);
  socket.close();
  writeAttachment(network, after);
  releaseEndpoint(paths, record.id, endpoint);
  if (!endpoint.internal) restoreRoute(record, state, after.endpoints);
  changeOwnHosts(
    paths,
    record.id,
    endpoint.addresses.map(({ address }) => address),
    [],
  );
  refreshPeers(paths, before);
  return after;
}

/** Where the way to everywhere else went with the link, another network's gateway is it from now on. */
function restoreRoute(record: ContainerRecord, state: State, endpoints: readonly Endpoint[]): void {
  const next = endpoints.find(({ internal }) => !internal);
  if (!next) return;
  const gateways = next.addresses.flatMap(({ gateway }) => parseAddress(gateway) ?? []);
  inside(record, state, (socket) => addRoutes(socket, next.interface, gateways));
}

function releaseEndpoint(paths: Paths, container: string, { networkId, addresses }: Endpoint): void {
  for (const { address } of addresses)
    releaseLease(networkPaths(paths), { id: networkId }, { address, container });
}

/** Does `work` in the network namespace of a container that runs. */
function inside(record: ContainerRecord, state: State, work: (socket: NetlinkSocket) => void): void {
  const pidfd = openPidfd(Number(state.pid));
  if (pidfd === undefined || !isRunning(state))
    throw new EngineError(`container ${record.name} has just ended`, 1);
  try {
    inNamespaces(pidfd, CLONE.NEWNET, () => {
      const socket = new NetlinkSocket(NETLINK.ROUTE);
      try {
        work(socket);
      } finally {
        socket.close();
      }
    });
  } finally {
    close(pidfd);
  }
}
