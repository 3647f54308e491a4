import { answerJob } from "../../image/unpack-job.ts";
import { dieWithParent, print } from "../../linux/process.ts";
import type { Command } from "../command.ts";

/**
 * A process that unpacks one layer for the pull or load of that pid: the layer and the folder are descriptors it was given.
 */
export const command: Command = {
  name: "__unpack",
  summary: "",
  usage: "",
  flags: [],
  args: { min: 1, max: 1 },
  interspersed: false,
  run: async ({ args }) => {
    // killed before we could ask for the signal: nobody wants the layer
    if (!dieWithParent(Number(args[0]))) return 1;
    print(1, await answerJob());
    return 0;
  },
};
