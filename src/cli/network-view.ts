import { EngineError } from "../linux/errors.ts";
import { listAttachments } from "../network/attachment.ts";
import { allNetworks } from "../network/make.ts";
import { type NetworkPaths, type NetworkRecord, NoSuchNetwork } from "../network/record.ts";

/** A network as lists show it: ours, or one of the two that are no more than a mode. */
export interface ListedNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly record?: NetworkRecord;
}

/** `host` and `none` have ids too, the same everywhere. */
const MODES: readonly ListedNetwork[] = [
  { id: "1".padEnd(64, "0"), name: "host", driver: "host" },
  { id: "2".padEnd(64, "0"), name: "none", driver: "null" },
];

/** Every network and mode, by name. */
export function withModes(networks: readonly NetworkRecord[]): ListedNetwork[] {
  const ours = networks.map((record) => ({ id: record.id, name: record.name, driver: "bridge", record }));
  return [...ours, ...MODES].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The network or mode of that name, id, or unique beginning of an id. Throws NoSuchNetwork. */
export function pickNetwork(paths: NetworkPaths, reference: string): ListedNetwork {
  const all = withModes(allNetworks(paths));
  const named = all.find(({ name, id }) => name === reference || id === reference);
  if (named) return named;
  const matches = all.filter(({ id }) => reference !== "" && id.startsWith(reference));
  if (matches.length > 1) throw new EngineError(`network ${reference} is ambiguous: give more of the id`, 1);
  if (matches[0]) return matches[0];
  throw new NoSuchNetwork(reference);
}

/** A network as `docker network inspect` shows it. */
export function inspectNetwork(paths: NetworkPaths, { id, name, driver, record }: ListedNetwork): object {
  const pools = record?.pools ?? [];
  return {
    Name: name,
    Id: id,
    Created: record?.created ?? "0001-01-01T00:00:00Z",
    Scope: "local",
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: pools.some(({ subnet }) => subnet.includes(":")),
    IPAM: {
      Driver: "default",
      Options: {},
      Config: pools.map(({ subnet, gateway, ipRange, reserved }) => ({
        Subnet: subnet,
        ...(ipRange && { IPRange: ipRange }),
        Gateway: gateway,
        ...(reserved && { AuxiliaryAddresses: reserved }),
      })),
    },
    Internal: record?.internal ?? false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: record ? containersIn(paths, record) : {},
    Options: record ? optionsOf(record) : {},
    Labels: record?.labels ?? {},
  };
}

/** What was asked for, and the bridge, which Docker shows of its default network only. */
function optionsOf({ options, bridge, mtu }: NetworkRecord): object {
  return {
    ...options,
    "com.docker.network.bridge.name": bridge,
    "com.docker.network.driver.mtu": String(mtu),
  };
}

function containersIn(paths: NetworkPaths, network: NetworkRecord): object {
  const found: Record<string, object> = {};
  for (const { container, name, endpoints } of listAttachments(paths)) {
    const endpoint = endpoints.find(({ networkId }) => networkId === network.id);
    if (!endpoint) continue;
    const address = (ipv6: boolean): string => {
      const one = endpoint.addresses.find((each) => each.address.includes(":") === ipv6);
      return one ? `${one.address}/${one.prefix}` : "";
    };
    found[container] = {
      Name: name,
      EndpointID: endpoint.veth,
      MacAddress: endpoint.mac,
      IPv4Address: address(false),
      IPv6Address: address(true),
    };
  }
  return found;
}
