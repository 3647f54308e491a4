import { isErrno } from "../linux/errno.ts";
import { close, lock, O, open, pwrite, readAll, truncate } from "../linux/file.ts";
import { fstat } from "../linux/stat.ts";
import { type Attachment, listAttachments } from "../network/attachment.ts";
import { openNetworkLock } from "../network/ready.ts";
import { DEFAULT_NETWORK, type NetworkPaths } from "../network/record.ts";
import { type HostsEntry, linesOf } from "./hosts-file.ts";
import { networkPaths, type Paths } from "./paths.ts";

/** Around the lines that are kept up to date: what a container writes beside them stays. */
const BEGIN = "# containers on the same networks";
const END = "# end of them";

/** The lines for all others that share a named network with a container; empty where it is in none. */
export function peersOf(own: Attachment, all: readonly Attachment[]): HostsEntry[] {
  const entries: HostsEntry[] = [];
  const aliased: HostsEntry[] = [];
  for (const { networkId, network } of own.endpoints) {
    if (network === DEFAULT_NETWORK) continue;
    for (const other of all) {
      if (other.container === own.container) continue;
      const endpoint = other.endpoints.find((one) => one.networkId === networkId);
      for (const { address } of endpoint?.addresses ?? []) {
        entries.push({ address, names: [other.name, other.container] });
        const aliases = (endpoint?.aliases ?? []).filter((alias) => alias !== other.name);
        if (aliases.length > 0) aliased.push({ address, names: aliases });
      }
    }
  }
  // the first line with a name is the one that counts: nobody takes another's by an alias
  return [...entries, ...aliased];
}

/** `text` with the block of others in it: in place of the one that is there, else at the end. */
export function withPeers(text: string, peers: readonly HostsEntry[]): string {
  const lines = linesOf(peers);
  const block = lines === "" ? "" : `${BEGIN}\n${lines}${END}\n`;
  const begin = text.indexOf(`${BEGIN}\n`);
  const end = begin < 0 ? -1 : text.indexOf(`${END}\n`, begin);
  if (end < 0) return block === "" || text.endsWith("\n") || text === "" ? text + block : `${text}\n${block}`;
  return text.slice(0, begin) + block + text.slice(end + END.length + 1);
}

/** A container may write what it likes into its file; more than this is not kept up to date. */
const LONGEST = 4 << 20;

/** Brings the hosts files up to date of all who share a named network with a container that has come, or gone. */
export function refreshPeers(paths: Paths, changed: Attachment): void {
  const ids = new Set(
    changed.endpoints.filter(({ network }) => network !== DEFAULT_NETWORK).map(({ networkId }) => networkId),
  );
  if (ids.size === 0) return;
  withHostsLock(paths, (network) => {
    const all = listAttachments(network);
    for (const one of all)
      if (one.endpoints.some(({ networkId }) => ids.has(networkId)))
        edit(`${paths.container(one.container)}/hosts`, (text) => withPeers(text, peersOf(one, all)));
  });
}

function withHostsLock(paths: Paths, work: (network: NetworkPaths) => void): void {
  const network = networkPaths(paths);
  close(openNetworkLock(network));
  const fd = open(network.hostsLock, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  try {
    lock(fd, true);
    work(network);
  } finally {
    close(fd);
  }
}

/** Takes the lines of addresses that a container has no more out of its hosts file, and puts new ones in. */
export function changeOwnHosts(
  paths: Paths,
  id: string,
  gone: readonly string[],
  come: readonly HostsEntry[],
): void {
  withHostsLock(paths, () =>
    edit(`${paths.container(id)}/hosts`, (text) => {
      const lines = text
        .split("\n")
        .filter((line) => !gone.some((address) => line.startsWith(`${address}\t`)));
      const kept = lines.join("\n");
      const begin = kept.indexOf(`${BEGIN}\n`);
      const added = linesOf(come);
      return begin < 0 ? kept + added : kept.slice(0, begin) + added + kept.slice(begin);
    }),
  );
}

/** In place: the file is mounted in the container. What is read while it is written is the old and the new, in one write. */
function edit(path: string, change: (text: string) => string): void {
  let fd: number;
  try {
    fd = open(path, O.RDWR | O.NOFOLLOW);
  } catch (error) {
    // it is only being made, or has gone
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  try {
    if (fstat(fd).size > LONGEST) return;
    // bytes as characters of one each: what a container writes need not be UTF-8, and stays as it is
    const before = Buffer.from(readAll(fd)).toString("latin1");
    const after = change(before);
    if (after === before) return;
    const bytes = Buffer.from(after, "latin1");
    pwrite(fd, bytes, 0);
    truncate(fd, bytes.length);
  } finally {
    close(fd);
  }
}
