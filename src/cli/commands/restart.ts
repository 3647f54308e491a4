import { restartContainer } from "../../container/restart.ts";
import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";
import { tellCutLimits } from "../ulimits.ts";
import { tellWarning } from "../warning.ts";
import { TIME_FLAG } from "./stop.ts";

/** `restart`: stop, then start. */
export const command: Command = {
  name: "restart",
  summary: "Restart containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: [TIME_FLAG],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker restart -t 1 c1"],
  run: (input) => {
    const paths = enginePaths();
    const grace = input.int("time");
    return forEach(input.args, "serial", async (name) => {
      const { limits } = await restartContainer(paths, name, grace, tellWarning);
      tellCutLimits(limits.ulimits);
    });
  },
};
