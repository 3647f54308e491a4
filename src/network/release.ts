import { listFolder } from "../linux/folder.ts";
import { NETLINK, NetlinkSocket } from "../linux/netlink.ts";
import { deleteLink } from "../linux/rtnetlink.ts";
import { type Attachment, forgetAttachment, readAttachment } from "./attachment.ts";
import { listLeases, releaseLease } from "./leases.ts";
import { publishedPorts } from "./published.ts";
import { openFirewall } from "./ready.ts";
import type { NetworkPaths } from "./record.ts";

/**
 * Takes back all that a container has of the host's network: ports, links, addresses. What is gone already is no error: the
 * links go with the container's network namespace, and the addresses of most containers with their monitor. `search`: there may
 * be addresses that were not written down yet.
 */
export function releaseAttachment(paths: NetworkPaths, container: string, search: boolean): void {
  const attachment = readAttachment(paths, container);
  if (attachment) {
    unpublishAll(paths, attachment);
    const socket = new NetlinkSocket(NETLINK.ROUTE);
    for (const { veth } of attachment.endpoints) deleteLink(socket, veth);
    socket.close();
    for (const { networkId, addresses } of attachment.endpoints)
      for (const { address } of addresses) releaseLease(paths, { id: networkId }, { address, container });
  }
  if (search) releaseLeases(paths, container);
  forgetAttachment(paths, container);
  // who made the rules anew meanwhile may have read of the ports while that was still there (mend.ts)
  if (attachment) unpublishAll(paths, attachment);
}

function unpublishAll(paths: NetworkPaths, attachment: Attachment): void {
  if (attachment.ports.length === 0) return;
  const firewall = openFirewall(paths);
  firewall?.unpublish(publishedPorts(attachment));
  firewall?.close();
}

/** Every address that a container has in any network, or those of them that `which` picks. */
export function releaseLeases(
  paths: NetworkPaths,
  container: string,
  which: (address: string) => boolean = () => true,
): void {
  for (const { name: id } of listFolder(paths.now)) {
    if (!/^[0-9a-f]{12}$/.test(id)) continue;
    for (const lease of listLeases(paths, { id }))
      if (lease.container === container && which(lease.address)) releaseLease(paths, { id }, lease);
  }
}
