import { type Attachment, addressOf, type Endpoint } from "../network/attachment.ts";
import { DEFAULT_NETWORK } from "../network/record.ts";
import type { PortWish } from "../network/wish.ts";
import { attachmentOf } from "./network.ts";
import { NIL_LIST } from "./nil.ts";
import type { Paths } from "./paths.ts";
import { portsOf } from "./ports.ts";
import type { ContainerRecord } from "./record.ts";

/** NetworkSettings of `docker inspect`. */
export function inspectNetworks(paths: Paths, record: ContainerRecord): object {
  const attachment = attachmentOf(paths, record.id);
  const bridge = attachment?.endpoints.find(({ network }) => network === DEFAULT_NETWORK);
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    Ports: attachment ? inspectPorts(attachment, record) : {},
    // of the default network, as in old times
    EndpointID: bridge?.veth ?? "",
    ...addressesOf(bridge),
    MacAddress: bridge?.mac ?? "",
    Networks: Object.fromEntries(networksOf(record, attachment)),
  };
}

/** Each network that it is in, or will be. */
function networksOf(record: ContainerRecord, attachment: Attachment | undefined): [string, object][] {
  const modes = record.network === "host" || record.network === "none" ? [record.network] : [];
  const names = [...(record.endpoints ?? []).map(({ network }) => network), ...modes];
  return names.map((name) => {
    const endpoint = attachment?.endpoints.find(({ network }) => network === name);
    const wish = record.endpoints?.find(({ network }) => network === name);
    const asked = wish?.ip || wish?.ip6;
    const config = asked
      ? { ...(wish?.ip && { IPv4Address: wish.ip }), ...(wish?.ip6 && { IPv6Address: wish.ip6 }) }
      : null;
    return [
      name,
      {
        IPAMConfig: config,
        Links: null,
        Aliases: wish?.aliases ?? NIL_LIST,
        MacAddress: endpoint?.mac ?? "",
        DriverOpts: null,
        GwPriority: 0,
        NetworkID: endpoint?.networkId ?? "",
        EndpointID: endpoint?.veth ?? "",
        ...addressesOf(endpoint),
        DNSNames: name === DEFAULT_NETWORK ? NIL_LIST : [record.name, ...(wish?.aliases ?? []), record.id],
      },
    ];
  });
}

function addressesOf(endpoint: Endpoint | undefined): object {
  const one = endpoint && addressOf(endpoint, 4);
  const six = endpoint && addressOf(endpoint, 6);
  return {
    Gateway: one?.gateway ?? "",
    IPAddress: one?.address ?? "",
    IPPrefixLen: one?.prefix ?? 0,
    IPv6Gateway: six?.gateway ?? "",
    GlobalIPv6Address: six?.address ?? "",
    GlobalIPv6PrefixLen: six?.prefix ?? 0,
  };
}

/** Every exposed port, with where it is on the host; null where it is not. */
function inspectPorts(attachment: Attachment, record: ContainerRecord): object {
  const ports: Record<string, object | null> = {};
  for (const key of exposedPorts(record)) ports[key] = null;
  for (const [key, list] of portsOf(attachment))
    ports[key] = list.map(({ hostAddress, hostPort }) => ({
      HostIp: hostAddress,
      HostPort: String(hostPort),
    }));
  return ports;
}

/** What the image, --expose and -p name: `80/tcp`. */
export function exposedPorts({ declared, exposed = [], ports = [] }: ContainerRecord): string[] {
  const named = [...Object.keys(declared?.ExposedPorts ?? {}), ...exposed, ...ports.map(keyOf)];
  return [...new Set(named.map((key) => (key.includes("/") ? key : `${key}/tcp`)))];
}

function keyOf({ port, protocol }: PortWish): string {
  return `${port}/${protocol}`;
}

/** HostConfig.PortBindings: what was asked for. */
export function inspectBindings({ ports = [] }: ContainerRecord): object {
  const bindings: Record<string, object[]> = {};
  for (const wish of ports) {
    const { hostAddress, hostPort, hostPortEnd } = wish;
    const range = hostPort === hostPortEnd ? String(hostPort) : `${hostPort}-${hostPortEnd}`;
    const key = keyOf(wish);
    bindings[key] = [
      ...(bindings[key] ?? []),
      { HostIp: hostAddress, HostPort: hostPort === 0 ? "" : range },
    ];
  }
  return bindings;
}
