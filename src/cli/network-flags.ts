import { formatAddress, formatMac, parseAddress, parseMac } from "../network/address.ts";
import { DEFAULT_NETWORK, NETWORK_NAME } from "../network/record.ts";
import type { EndpointWish, NetworkWish } from "../network/wish.ts";
import type { Flag, Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";

/** The texts of `--network` and the flags beside it. */
export interface NetworkFlags {
  readonly networks: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly mac?: string;
  readonly aliases: readonly string[];
}

/** A place in a network by flags, for `run` and `network connect`. */
export const addressFlags: readonly Flag[] = [
  { name: "ip", kind: "string", value: "ADDRESS", help: "Its IPv4 address in the network" },
  { name: "ip6", kind: "string", value: "ADDRESS", help: "Its IPv6 address in the network" },
  { name: "mac-address", kind: "string", value: "MAC", help: "The MAC address of its link" },
];

/** readNetworks with what those flags say. */
export function readNetworksOf(
  input: Parsed,
  networks: readonly string[],
  aliases: readonly string[],
): NetworkWish {
  const [ip, ip6, mac] = [input.text("ip"), input.text("ip6"), input.text("mac-address")];
  return readNetworks({ networks, aliases, ...(ip && { ip }), ...(ip6 && { ip6 }), ...(mac && { mac }) });
}

/** Which networks a container is to be in. Throws UsageError. */
export function readNetworks(flags: NetworkFlags): NetworkWish {
  const networks = flags.networks.filter((text) => text !== "");
  const endpoints = (networks.length > 0 ? networks : [DEFAULT_NETWORK]).map(parseEndpoint);
  const special = endpoints.find(({ network }) => isMode(network));
  const predefined = special ?? endpoints.find(({ network }) => network === DEFAULT_NETWORK);
  const mixed = endpoints.some(({ network }) => network !== predefined?.network);
  if (predefined && endpoints.length > 1 && (mixed || special))
    throw new UsageError(
      `conflicting options: cannot attach both user-defined and non-user-defined network-modes: give ${predefined.network} alone, and 'mydocker network connect' what may be added to it`,
    );
  if (special) return readMode(special, flags);
  const [first, ...others] = endpoints;
  const all = [withFlags(first as EndpointWish, flags), ...others.map(normal)];
  const seen = new Set<string>();
  for (const endpoint of all) {
    check(endpoint);
    if (seen.has(endpoint.network))
      throw new UsageError(`network "${endpoint.network}" is specified multiple times: give it once`);
    seen.add(endpoint.network);
  }
  return { mode: "networks", endpoints: all };
}

function isMode(network: string): boolean {
  return network === "none" || network === "host" || network.startsWith("container:");
}

function readMode({ network, ...own }: EndpointWish, flags: NetworkFlags): NetworkWish {
  if (Object.keys(own).length > 0 || flags.ip || flags.ip6 || flags.mac || flags.aliases.length > 0)
    throw new UsageError(
      `conflicting options: --ip, --ip6, --mac-address and --network-alias do not go with --network ${network}`,
    );
  if (network === "none" || network === "host") return { mode: network, endpoints: [] };
  const container = network.slice("container:".length);
  if (container === "")
    throw new UsageError("invalid network mode container:: name a container, as in container:web");
  return { mode: "container", container, endpoints: [] };
}

/** `NAME`, or `name=NAME,alias=A,ip=…,ip6=…,mac-address=…`. */
function parseEndpoint(text: string): EndpointWish {
  if (!text.includes("=")) return { network: networkName(text) };
  const aliases: string[] = [];
  const values: { network?: string; ip?: string; ip6?: string; mac?: string } = {};
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = field.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    const value = field.slice(equals + 1).trim();
    if (equals < 0)
      throw new UsageError(`invalid network field '${field}' in --network ${text}: fields are KEY=VALUE`);
    if (key === "name") values.network = value;
    else if (key === "alias") aliases.push(value);
    else if (key === "ip") values.ip = value;
    else if (key === "ip6") values.ip6 = value;
    else if (key === "mac-address") values.mac = value;
    else
      throw new UsageError(
        `invalid network field ${key} in --network ${text}: there are name, alias, ip, ip6, mac-address`,
      );
  }
  if (!values.network) throw new UsageError(`network name is missing in --network ${text}: give name=NAME`);
  return { ...values, network: networkName(values.network), ...(aliases.length > 0 && { aliases }) };
}

function networkName(text: string): string {
  return text === "default" ? DEFAULT_NETWORK : text;
}

function withFlags(endpoint: EndpointWish, { ip, ip6, mac, aliases }: NetworkFlags): EndpointWish {
  const given = { ...(ip && { ip }), ...(ip6 && { ip6 }), ...(mac && { mac }) };
  for (const key of Object.keys(given) as (keyof typeof given)[])
    if (endpoint[key] !== undefined)
      throw new UsageError(
        `conflicting options: ${key} is given both for network ${endpoint.network} and by itself`,
      );
  const all = [...(endpoint.aliases ?? []), ...aliases];
  return normal({ ...endpoint, ...given, ...(all.length > 0 && { aliases: all }) });
}

/** Addresses in their shortest form. */
function normal(endpoint: EndpointWish): EndpointWish {
  const { ip, ip6, mac } = endpoint;
  return {
    ...endpoint,
    ...(ip !== undefined && { ip: toAddress(ip, 4) }),
    ...(ip6 !== undefined && { ip6: toAddress(ip6, 6) }),
    ...(mac !== undefined && { mac: toMac(mac) }),
  };
}

function check(endpoint: EndpointWish): void {
  const { network, ip, ip6, aliases } = endpoint;
  if (!NETWORK_NAME.test(network))
    throw new UsageError(`invalid network name (${network}): only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed`);
  for (const alias of aliases ?? [])
    if (!/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,252}$/.test(alias))
      throw new UsageError(
        `invalid alias ${JSON.stringify(alias)}: only [a-zA-Z0-9_][a-zA-Z0-9_.-]* are allowed`,
      );
  if (network !== DEFAULT_NETWORK) return;
  if (ip || ip6)
    throw new UsageError(
      "user specified IP address is supported on user defined networks only: make one with 'mydocker network create --subnet'",
    );
  if (aliases) throw new UsageError("network-scoped aliases are only supported for user-defined networks");
}

/** An address of that family in its shortest form. Throws UsageError. */
export function toAddress(text: string, family: 4 | 6): string {
  const bytes = parseAddress(text);
  const good = bytes?.length === (family === 4 ? 4 : 16) && bytes.some((byte) => byte !== 0);
  if (!bytes || !good || (family === 6 && text.includes(".")))
    throw new UsageError(`invalid IPv${family} address: ${text}`);
  return formatAddress(bytes);
}

/** A MAC address of one host's. Throws UsageError. */
export function toMac(text: string): string {
  const bytes = parseMac(text);
  if (!bytes || ((bytes[0] ?? 1) & 1) !== 0 || bytes.every((byte) => byte === 0))
    throw new UsageError(
      `${text} is not a valid mac address: it is six bytes as 02:42:ac:11:00:02, of one host`,
    );
  return formatMac(bytes);
}
