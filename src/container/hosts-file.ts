/** A line of hosts(5). */
export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

const IPV4 = "127.0.0.1\tlocalhost\n";
const IPV6 = `::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** Docker's /etc/hosts: the fixed part, what was asked for, the container's own names. Names that are none are left out. */
export function buildHosts(extra: readonly HostsEntry[], own: readonly HostsEntry[]): string {
  return IPV4 + IPV6 + linesOf(extra) + linesOf(own);
}

/** Entries as lines. */
export function linesOf(entries: readonly HostsEntry[]): string {
  let text = "";
  for (const { address, names } of entries) {
    const good = names.filter((name) => /^[!-"$-~]+$/.test(name));
    if (good.length > 0) text += `${address}\t${good.join(" ")}\n`;
  }
  return text;
}
