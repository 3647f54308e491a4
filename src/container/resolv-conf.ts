import { isLoopback, parseAddress } from "../network/address.ts";

/** What a container's resolv.conf(5) is made from. */
export interface ResolvConf {
  /** The text of the host's. */
  readonly host: string;
  /** The servers that the host's local resolver (systemd-resolved) asks, where it has one. */
  readonly upstream?: string;
  /** In place of the host's, where there are any; a search of `.` alone is none. */
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** The container is on the host's network, where the host's local resolver is its own too. */
  readonly onHost: boolean;
  /** Whether the container has an address of IPv6. */
  readonly ipv6: boolean;
}

/** Where nothing else is known, as Docker. */
const PUBLIC = ["8.8.8.8", "8.8.4.4"];
const PUBLIC6 = ["2001:4860:4860::8888", "2001:4860:4860::8844"];

/** The resolv.conf of a container: the host's without what cannot be reached from it, or what was asked for. */
export function buildResolvConf(wish: ResolvConf): string {
  const host = parse(wish.host);
  const search = wish.search.length > 0 ? wish.search.filter((domain) => domain !== ".") : host.search;
  const options = wish.options.length > 0 ? wish.options : host.options;
  const lines = serversOf(wish, host.servers).map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return `${[...lines, ...host.others].join("\n")}\n`;
}

function serversOf(
  { servers, upstream, onHost, ipv6 }: ResolvConf,
  hosts: readonly string[],
): readonly string[] {
  if (servers.length > 0) return servers;
  if (onHost && hosts.length > 0) return hosts;
  const reachable = (server: string): boolean => {
    // with a zone it is a link of the host's
    const address = parseAddress(server);
    if (!address || isLoopback(address)) return false;
    return address.length === 4 || ipv6;
  };
  const good = hosts.filter(reachable);
  if (good.length > 0) return good;
  const theirs = parse(upstream ?? "").servers.filter(reachable);
  if (theirs.length > 0) return theirs;
  return ipv6 ? [...PUBLIC, ...PUBLIC6] : PUBLIC;
}

interface Parsed {
  readonly servers: string[];
  search: string[];
  options: string[];
  /** Lines of other kinds (sortlist). */
  readonly others: string[];
}

function parse(text: string): Parsed {
  const parsed: Parsed = { servers: [], search: [], options: [], others: [] };
  for (const line of text.split("\n")) {
    const [key = "", ...values] = line.trim().split(/\s+/);
    if (key === "" || key.startsWith("#") || key.startsWith(";")) continue;
    if (key === "nameserver") parsed.servers.push(...values.slice(0, 1));
    // the last of them counts, of either kind (resolv.conf(5))
    else if (key === "search" || key === "domain") parsed.search = values.filter((value) => value !== ".");
    else if (key === "options") parsed.options.push(...values);
    else parsed.others.push(line.trim());
  }
  return parsed;
}
