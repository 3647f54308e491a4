import { startStopped } from "../../container/restart.ts";
import { GRACE_SECONDS, stopContainer } from "../../container/stop.ts";
import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";
import { graceOf, TIME_FLAG } from "./stop.ts";

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
    return forEach(input.args, "serial", async (name) => {
      await stopContainer(paths, name, graceOf(input.int("time") ?? GRACE_SECONDS));
      await startStopped(paths, name, { attached: false, stdin: false });
    });
  },
};
