import { unpauseContainer } from "../../container/pause.ts";
import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";

/** `unpause`: lets paused containers go on. */
export const command: Command = {
  name: "unpause",
  summary: "Let paused containers go on",
  usage: "CONTAINER [CONTAINER...]",
  flags: [],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker unpause c1"],
  run: (input) => forEach(input.args, "serial", (name) => unpauseContainer(enginePaths(), name)),
};
