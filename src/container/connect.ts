import { EngineError } from "../linux/errors.ts";
import { findNetwork, NoSuchNetwork, type Warn } from "../network/record.ts";
import type { EndpointWish } from "../network/wish.ts";
import { withChange } from "./change.ts";
import { connectRunning, settleEndpoints } from "./endpoints.ts";
import { isRunning } from "./liveness.ts";
import { sharedWith } from "./network.ts";
import { networkPaths, type Paths } from "./paths.ts";
import { type Container, type ContainerRecord, type State, writeContainer } from "./record.ts";
import { findId, readContainer, readRecord, readState } from "./store.ts";

/** `network connect`: one more network for a container, at once where it runs. */
export function connectContainer(paths: Paths, reference: string, wish: EndpointWish, warn: Warn): void {
  const network = findNetwork(networkPaths(paths), wish.network);
  const named = { ...wish, network: network.name };
  changeNetworks(paths, reference, (container, state) => {
    const { record } = container;
    refuseModes(record, network.name);
    if (record.endpoints?.some((one) => one.network === network.name))
      throw new EngineError(
        `container ${record.name} is already attached to network ${network.name}: nothing to do`,
        1,
      );
    // written down when it is done: what was made for one that was killed goes again (settleEndpoints)
    if (state) connectRunning(paths, record, state, named, warn);
    writeEndpoints(paths, container, [...(record.endpoints ?? []), named]);
  });
}

/** `network disconnect`: the reverse. */
export function disconnectContainer(paths: Paths, container: string, reference: string): void {
  changeNetworks(paths, container, (present, state) => {
    const { record } = present;
    const network = networkOrGone(paths, record, reference);
    const kept = (record.endpoints ?? []).filter((one) => one.network !== network);
    if (kept.length === (record.endpoints ?? []).length)
      throw new EngineError(`container ${record.name} is not connected to network ${network}`, 1);
    // written down before it is done: of one that was killed the rest is done later
    writeEndpoints(paths, present, kept);
    if (state) settleEndpoints(paths, { ...record, endpoints: kept }, state);
  });
}

function changeNetworks(
  paths: Paths,
  reference: string,
  change: (container: Container, state: State | undefined) => void,
): void {
  const id = findId(paths, reference);
  withChange(paths, id, () => {
    const state = readState(paths, readRecord(paths, id));
    change(readContainer(paths, id), isRunning(state) ? state : undefined);
  });
}

function writeEndpoints(paths: Paths, container: Container, endpoints: readonly EndpointWish[]): void {
  const network = endpoints[0]?.network ?? "none";
  writeContainer(paths, { ...container, record: { ...container.record, endpoints, network } });
}

/** The name of a network; of one that was removed since, what the container still knows of it. */
function networkOrGone(paths: Paths, { endpoints = [] }: ContainerRecord, reference: string): string {
  try {
    return findNetwork(networkPaths(paths), reference).name;
  } catch (error) {
    if (error instanceof NoSuchNetwork && endpoints.some(({ network }) => network === reference))
      return reference;
    throw error;
  }
}

function refuseModes(record: ContainerRecord, to: string): void {
  const other = sharedWith(record) === undefined ? undefined : "another container";
  const owner = record.network === "host" ? "the host" : other;
  if (owner !== undefined)
    throw new EngineError(
      `cannot connect container ${record.name} to network ${to}: it shares the network of ${owner}`,
      1,
    );
}
