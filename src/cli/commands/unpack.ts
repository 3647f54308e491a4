import { answerJob } from "../../image/unpack-job.ts";
import { dieWithParent, print } from "../../linux/process.ts";
import type { Command } from "../command.ts";

/** A process that unpacks one layer for a pull or a load: the layer and the folder are descriptors it was given. */
export const command: Command = {
  name: "__unpack",
  summary: "",
  usage: "",
  flags: [],
  args: { min: 0, max: 0 },
  interspersed: false,
  run: async () => {
    dieWithParent();
    // thousands of members are worth compiled code; the executable starts with a policy for short commands
    Bun.unsafe.setJITPolicy(1);
    print(1, await answerJob());
    return 0;
  },
};
