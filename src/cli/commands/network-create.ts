import { callerOf } from "../../container/network.ts";
import { networkPaths } from "../../container/paths.ts";
import { print } from "../../linux/process.ts";
import { createNetwork } from "../../network/make.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { readNetworkPlan } from "../network-create.ts";
import { tellWarning } from "../warning.ts";

/** `network create`: a network that containers can be in. */
export const command: Command = {
  name: "network create",
  summary: "Make a network",
  usage: "[OPTIONS] NETWORK",
  flags: [
    { name: "driver", short: "d", kind: "string", value: "DRIVER", help: "bridge, the only one" },
    { name: "subnet", kind: "list", value: "CIDR", help: "Its addresses (default: a free private range)" },
    { name: "gateway", kind: "list", value: "ADDRESS", help: "The host's address in it" },
    { name: "ip-range", kind: "list", value: "CIDR", help: "Where containers get their addresses from" },
    { name: "aux-address", kind: "list", value: "NAME=ADDRESS", help: "An address that nobody gets" },
    { name: "internal", kind: "bool", help: "No way out of it, and none in" },
    { name: "ipv6", kind: "bool", help: "With addresses of IPv6 too" },
    { name: "label", kind: "list", value: "KEY=VALUE", help: "Put a label on it" },
    {
      name: "opt",
      short: "o",
      kind: "list",
      value: "KEY=VALUE",
      help: "mtu=N, or Docker's com.docker.network.bridge.name, .enable_icc, .enable_ip_masquerade",
    },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  examples: [
    "mydocker network create web",
    "mydocker network create --driver bridge --subnet 192.168.0.0/24 testbr",
    "mydocker network create --internal --ipv6 db",
  ],
  run: (input) => {
    const paths = enginePaths();
    const { id } = createNetwork(networkPaths(paths), readNetworkPlan(input), callerOf(paths, tellWarning));
    print(1, `${id}\n`);
    return 0;
  },
};
