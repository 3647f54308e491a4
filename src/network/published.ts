import { parseAddress } from "./address.ts";
import { type Attachment, addressOf } from "./attachment.ts";
import type { PublishedPort } from "./firewall.ts";
import { LOOPBACK6 } from "./relay.ts";

/** The ports of a container in the firewall's terms: each leads to the first address of its family; those on ::1 are the proxy's. */
export function publishedPorts({ endpoints, ports }: Attachment): PublishedPort[] {
  return ports.flatMap(({ protocol, hostAddress, hostPort, port }) => {
    const host = hostAddress === LOOPBACK6 ? undefined : parseAddress(hostAddress);
    const family = host?.length === 16 ? 6 : 4;
    const open = endpoints.filter(({ internal }) => !internal);
    const target = open.map((endpoint) => addressOf(endpoint, family)).find((one) => one !== undefined);
    const address = target && parseAddress(target.address);
    return host && address ? [{ protocol, hostAddress: host, hostPort, address, port }] : [];
  });
}
