import { type DnsWish, type ExtraHost, HOST_GATEWAY } from "../container/dns-wish.ts";
import { formatAddress, parseAddress } from "../network/address.ts";
import type { Flag, Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";

/** How names are looked up in a container. */
export const namesFlags: readonly Flag[] = [
  {
    name: "add-host",
    kind: "list",
    value: "NAME:IP",
    help: "Put a line into /etc/hosts (IP may be host-gateway)",
  },
  { name: "dns", kind: "list", value: "IP", help: "Ask this server for names" },
  {
    name: "dns-search",
    kind: "list",
    value: "DOMAIN",
    help: "Look names up in this domain too ('.': in none)",
  },
  {
    name: "dns-option",
    aliases: ["dns-opt"],
    kind: "list",
    value: "OPTION",
    help: "Put an option into resolv.conf",
  },
];

/** What those flags say. Throws UsageError. */
export function readNames(input: Parsed): {
  readonly dns?: DnsWish;
  readonly extraHosts: readonly ExtraHost[];
} {
  const servers = input.list("dns").map(parseServer);
  const search = input.list("dns-search").map(parseDomain);
  const options = input.list("dns-option").map((option) => oneWord(option, "option of resolv.conf"));
  const extraHosts = input.list("add-host").map(parseExtraHost);
  const given = servers.length + search.length + options.length > 0;
  return { extraHosts, ...(given && { dns: { servers, search, options } }) };
}

function parseServer(text: string): string {
  const bytes = parseAddress(text);
  if (!bytes) throw new UsageError(`${text} is not an ip address: --dns takes the address of a name server`);
  return formatAddress(bytes);
}

/** As Docker: labels of letters, digits and hyphens, with a letter somewhere; a dot at the end goes. */
export function parseDomain(text: string): string {
  const domain = text.trim();
  if (domain === ".") return domain;
  const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
  const [, name = ""] = new RegExp(`^(${label}(?:\\.${label})*)\\.?$`).exec(domain) ?? [];
  if (!/[a-zA-Z]/.test(name) || name.length >= 255)
    throw new UsageError(`${text} is not a valid domain: --dns-search takes one like example.com, or '.'`);
  return name;
}

function oneWord(text: string, what: string): string {
  if (!/^[!-~]+$/.test(text))
    throw new UsageError(`invalid ${what} ${JSON.stringify(text)}: it has blanks or control characters`);
  return text;
}

/** `NAME:IP` or `NAME=IP`; an address of IPv6 may stand in brackets. */
export function parseExtraHost(text: string): ExtraHost {
  const [, host = "", given = ""] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  if (host === "" || !/^[!"$-~]+$/.test(host))
    throw new UsageError(`bad format for add-host: "${text}": it is NAME:IP`);
  if (given === HOST_GATEWAY) return { host, address: HOST_GATEWAY };
  const bytes = parseAddress(given.replace(/^\[(.*)\]$/, "$1"));
  if (!bytes) throw new UsageError(`invalid IP address in add-host: "${given}"`);
  return { host, address: formatAddress(bytes) };
}
