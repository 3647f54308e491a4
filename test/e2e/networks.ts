/** What the suite's containers have of the host's network, and networks for one test each. */
import { NETLINK, NetlinkSocket } from "../../src/linux/netlink.ts";
import { deleteLink } from "../../src/linux/rtnetlink.ts";
import { openFirewall } from "../../src/network/ready.ts";
import { NetworkPaths } from "../../src/network/record.ts";
import { mydocker, newName, ok } from "./harness.ts";
import { BEFORE, linksNow } from "./leftovers.ts";
import { ROOT, RUN } from "./place.ts";

/** Takes back what networks leave on purpose for the next container: bridges, and our table of rules. */
export function removeNetworks(): void {
  const made = [...linksNow()].filter(
    (name) => !BEFORE.links.has(name) && /^(mydocker[0-9]+|br-[0-9a-f]{12})$/.test(name),
  );
  if (made.length === 0) return;
  const socket = new NetlinkSocket(NETLINK.ROUTE);
  for (const bridge of made) deleteLink(socket, bridge);
  socket.close();
  const firewall = openFirewall(new NetworkPaths(ROOT, RUN));
  firewall?.remove();
  firewall?.close();
}

/** The IPv4 address of a container in a network; empty where it is in none. */
export function addressOf(name: string, network = "bridge"): Promise<string> {
  return ok("inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
}

/** Makes a network for `use`; it is gone after that, with the containers that are in it. */
export async function withNetwork(
  use: (name: string, id: string) => Promise<void>,
  ...options: string[]
): Promise<void> {
  const name = newName("net");
  const id = await ok("network", "create", ...options, name);
  try {
    await use(name, id);
  } finally {
    const ids = (await ok("ps", "-aq", "--filter", `network=${name}`))
      .split("\n")
      .filter((one) => one !== "");
    if (ids.length > 0) await ok("rm", "-f", ...ids);
    await mydocker(["network", "rm", "-f", name]);
  }
}
