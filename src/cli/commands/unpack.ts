import { answerOrders } from "../../image/unpack-helper.ts";
import { dieWithParent } from "../../linux/process.ts";
import type { Command } from "../command.ts";

/** A process that unpacks layers for the pull or load of that pid: see image/unpack-helper.ts. */
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
    await answerOrders();
    return 0;
  },
};
