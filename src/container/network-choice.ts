import type { ImageConfig } from "../image/store.ts";
import { EngineError } from "../linux/errors.ts";
import { readText } from "../linux/file.ts";
import { DEFAULT_NETWORK, findNetwork, NoSuchNetwork } from "../network/record.ts";
import type { PortWish } from "../network/wish.ts";
import type { CreateOptions } from "./create.ts";
import { sharedWith } from "./network.ts";
import { networkPaths, type Paths } from "./paths.ts";
import { type ContainerRecord, type NamespaceModes, ownerOf } from "./record.ts";
import { findId, readSpec } from "./store.ts";

/** What a record says of networks: `container:NAME` is held by id, and -P becomes a port for each that is exposed. */
export function networkOf(
  paths: Paths,
  { network, ports, exposed, publishAll, dns, extraHosts }: CreateOptions,
  { ExposedPorts }: ImageConfig,
): Pick<
  ContainerRecord,
  "network" | "endpoints" | "ports" | "publishAll" | "exposed" | "dns" | "extraHosts"
> {
  const { mode, container = "" } = network;
  const endpoints = network.endpoints.map((wish) => ({ ...wish, network: nameOf(paths, wish.network) }));
  const shared = mode === "container" ? `container:${idOf(paths, container)}` : undefined;
  const published = publishAll ? withExposed(ports, [...Object.keys(ExposedPorts ?? {}), ...exposed]) : ports;
  return {
    network: shared ?? (mode === "networks" ? (endpoints[0]?.network ?? "none") : mode),
    ...(endpoints.length > 0 && { endpoints }),
    ...(published.length > 0 && endpoints.length > 0 && { ports: published }),
    ...(publishAll && { publishAll }),
    ...(exposed.length > 0 && { exposed }),
    ...(dns && { dns }),
    ...(extraHosts.length > 0 && { extraHosts }),
  };
}

/** A network may be given by its id; of one that is not there yet the start will speak. */
function nameOf(paths: Paths, reference: string): string {
  if (reference === DEFAULT_NETWORK) return reference;
  try {
    return findNetwork(networkPaths(paths), reference).name;
  } catch (error) {
    if (error instanceof NoSuchNetwork) return reference;
    throw error;
  }
}

/** Containers that are shared with are held by id: a name may be another's tomorrow. */
export function sharedIds(paths: Paths, modes: NamespaceModes): NamespaceModes {
  return Object.fromEntries(
    Object.entries(modes).map(([type, mode]) => {
      const owner = ownerOf(mode);
      return [type, owner === undefined ? mode : `container:${idOf(paths, owner)}`];
    }),
  );
}

/** As Docker: a run that fails for it exits with 125. */
function idOf(paths: Paths, container: string): string {
  try {
    return findId(paths, container);
  } catch (error) {
    throw error instanceof EngineError ? new EngineError(error.message) : error;
  }
}

/** Ports that are exposed and not published yet get any free one of the host's. */
function withExposed(ports: readonly PortWish[], exposed: readonly string[]): PortWish[] {
  const all = [...ports];
  for (const text of exposed) {
    const [number = "", protocol = "tcp"] = text.split("/");
    const port = Number(number);
    if (!Number.isInteger(port) || port < 1 || port > 65535 || !isProtocol(protocol)) continue;
    if (all.some((one) => one.port === port && one.protocol === protocol)) continue;
    all.push({ hostAddress: "", hostPort: 0, hostPortEnd: 0, port, protocol });
  }
  return all;
}

function isProtocol(text: string): text is PortWish["protocol"] {
  return text === "tcp" || text === "udp" || text === "sctp";
}

/** As Docker: on the host's network, or another container's, it is called as that is. */
export function hostnameOf(
  paths: Paths,
  record: ContainerRecord,
  { hostname }: Pick<CreateOptions, "hostname">,
): string {
  if (hostname !== undefined) {
    // it becomes a word of /etc/hosts, and a line of /etc/hostname
    if (/[\s\p{Cc}]/u.test(hostname))
      throw new EngineError(
        `invalid hostname ${JSON.stringify(hostname)}: it has a space, or a control character`,
      );
    return hostname;
  }
  const shared = sharedWith(record);
  if (shared !== undefined) return readSpec(paths, shared).hostname;
  if (record.network === "host" || record.namespaces?.uts === "host")
    return readText("/proc/sys/kernel/hostname").trimEnd();
  return record.id;
}
