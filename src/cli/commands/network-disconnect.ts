import { disconnectContainer } from "../../container/connect.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";

/** `network disconnect`. */
export const command: Command = {
  name: "network disconnect",
  summary: "Disconnect a container from a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: [{ name: "force", short: "f", kind: "bool", help: "As without: nothing keeps one connected" }],
  args: { min: 2, max: 2 },
  interspersed: true,
  examples: ["mydocker network disconnect web c1"],
  run: (input) => {
    const [network = "", container = ""] = input.args;
    disconnectContainer(enginePaths(), container, network);
    return 0;
  },
};
