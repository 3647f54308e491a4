import { readTextIfAny, writeFile, writeFileAtomic } from "../linux/file.ts";
import { type Attachment, addressOf, type Endpoint, listAttachments } from "../network/attachment.ts";
import { DEFAULT_NETWORK } from "../network/record.ts";
import { HOST_GATEWAY } from "./dns-wish.ts";
import { peersOf, withPeers } from "./hosts.ts";
import { buildHosts, type HostsEntry, linesOf } from "./hosts-file.ts";
import { sharedWith } from "./network.ts";
import { networkPaths, type Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { buildResolvConf } from "./resolv-conf.ts";

/** The files of /etc that the engine provides, by their names in the container's folder. */
export const PROVIDED = {
  hosts: "/etc/hosts",
  hostname: "/etc/hostname",
  "resolv.conf": "/etc/resolv.conf",
} as const;

/**
 * Writes hosts, hostname and resolv.conf into the container's folder; they are bound over the image's. One that shares
 * another's network has that one's.
 */
export function writeProvided(
  paths: Paths,
  record: ContainerRecord,
  hostname: string,
  attachment: Attachment | undefined,
): void {
  if (sharedWith(record) !== undefined) return;
  const folder = paths.container(record.id);
  // in its place as a whole: others who come and go may be at it (hosts.ts), and nobody has mounted it yet
  writeFileAtomic(`${folder}/hosts`, hostsOf(paths, record, hostname, attachment), false, 0o644);
  writeFile(`${folder}/hostname`, `${hostname}\n`, 0o644);
  writeFile(`${folder}/resolv.conf`, resolvConfOf(record, attachment), 0o644);
}

function hostsOf(
  paths: Paths,
  record: ContainerRecord,
  hostname: string,
  attachment: Attachment | undefined,
): string {
  const { network, extraHosts = [] } = record;
  const gateway = attachment?.endpoints[0] && addressOf(attachment.endpoints[0], 4)?.gateway;
  const extra = extraHosts.map(({ host, address }) => ({
    address: address === HOST_GATEWAY ? (gateway ?? "127.0.0.1") : address,
    names: [host],
  }));
  // as Docker: who is on the host's network has the host's names
  if (network === "host") return (readTextIfAny("/etc/hosts") ?? "") + linesOf(extra);
  const own = (attachment?.endpoints ?? []).flatMap((endpoint) => ownEntries(endpoint, hostname));
  const text = buildHosts(extra, own);
  const named = attachment?.endpoints.some((endpoint) => endpoint.network !== DEFAULT_NETWORK);
  return named ? withPeers(text, peersOf(attachment as Attachment, othersOf(paths))) : text;
}

function othersOf(paths: Paths): Attachment[] {
  return listAttachments(networkPaths(paths));
}

function ownEntries({ addresses }: Endpoint, hostname: string): HostsEntry[] {
  // a host name with a domain is known by its first part too
  const dot = hostname.indexOf(".");
  const names = dot > 0 ? [hostname, hostname.slice(0, dot)] : [hostname];
  return addresses.map(({ address }) => ({ address, names }));
}

const RESOLVED = "/run/systemd/resolve/resolv.conf";

function resolvConfOf({ network, dns }: ContainerRecord, attachment: Attachment | undefined): string {
  const upstream = readTextIfAny(RESOLVED);
  return buildResolvConf({
    host: readTextIfAny("/etc/resolv.conf") ?? "",
    ...(upstream !== undefined && { upstream }),
    servers: dns?.servers ?? [],
    search: dns?.search ?? [],
    options: dns?.options ?? [],
    onHost: network === "host",
    ipv6: attachment?.endpoints.some((endpoint) => addressOf(endpoint, 6)) ?? false,
  });
}
