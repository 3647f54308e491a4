import { connectContainer } from "../../container/connect.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { addressFlags, readNetworksOf } from "../network-flags.ts";
import { tellWarning } from "../warning.ts";

/** `network connect`. */
export const command: Command = {
  name: "network connect",
  summary: "Connect a container to one more network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: [...addressFlags, { name: "alias", kind: "list", value: "NAME", help: "Another name for it there" }],
  args: { min: 2, max: 2 },
  interspersed: true,
  examples: ["mydocker network connect web c1", "mydocker network connect --alias db --ip 172.28.0.9 web c1"],
  run,
};

function run(input: Parsed): number {
  const [network = "", container = ""] = input.args;
  const { endpoints } = readNetworksOf(input, [network], input.list("alias"));
  const [wish] = endpoints;
  if (!wish)
    throw new UsageError(`cannot connect to ${network}: it is no network that one can connect to`, 1);
  connectContainer(enginePaths(), container, wish, tellWarning);
  return 0;
}
