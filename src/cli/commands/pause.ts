import { pauseContainer } from "../../container/pause.ts";
import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";

/** `pause`: stops every process of containers where it is. */
export const command: Command = {
  name: "pause",
  summary: "Stop every process of containers where it is",
  usage: "CONTAINER [CONTAINER...]",
  flags: [],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker pause c1"],
  run: (input) => forEach(input.args, "serial", (name) => pauseContainer(enginePaths(), name)),
};
