import { waitForContainer } from "../../container/wait.ts";
import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { describeError } from "../errors.ts";
import { tellError } from "../tell.ts";

/** `wait`: until containers have ended, then their exit codes. */
export const command: Command = {
  name: "wait",
  summary: "Wait until containers have ended, and print their exit codes",
  usage: "CONTAINER [CONTAINER...]",
  flags: [],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker wait c1"],
  run: async (input) => {
    let failed = false;
    for (const name of input.args)
      try {
        print(1, `${await waitForContainer(enginePaths(), name)}\n`);
      } catch (error) {
        failed = true;
        await tellError(describeError(error).message);
      }
    return failed ? 1 : 0;
  },
};
