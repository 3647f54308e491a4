import { networkPaths } from "../../container/paths.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { inspectEach } from "../inspect-each.ts";
import { inspectNetwork, pickNetwork } from "../network-view.ts";

/** `network inspect`. */
export const command: Command = {
  name: "network inspect",
  summary: "Show all that is known of networks, as JSON",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: [
    { name: "format", short: "f", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
    { name: "verbose", short: "v", kind: "bool", help: "As without: there is no more to tell" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  examples: ["mydocker network inspect bridge", "mydocker network inspect -f '{{json .IPAM.Config}}' web"],
  run,
};

function run(input: Parsed): Promise<number> {
  const paths = networkPaths(enginePaths());
  return inspectEach(input, (name) => inspectNetwork(paths, pickNetwork(paths, name)));
}
