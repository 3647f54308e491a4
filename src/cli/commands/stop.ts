import { stopContainer } from "../../container/stop.ts";
import type { Command, Flag } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";

/** How long a program is given to end by itself. */
export const TIME_FLAG: Flag = {
  name: "time",
  short: "t",
  aliases: ["timeout"],
  kind: "int",
  value: "SECONDS",
  help: "Wait so long before killing (10)",
};

/** `stop`: the stop signal, a grace, then SIGKILL. */
export const command: Command = {
  name: "stop",
  summary: "Stop running containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: [TIME_FLAG],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker stop c1", "mydocker stop -t 2 c1 c2"],
  run: (input) =>
    forEach(input.args, "parallel", (name) => stopContainer(enginePaths(), name, input.int("time"))),
};
