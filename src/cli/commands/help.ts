import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { renderHelp, renderOverview } from "../help.ts";

/** `help`: the commands, or one of them. */
export const command: Command = {
  name: "help",
  summary: "Show the commands, or how one is used",
  usage: "[COMMAND]",
  flags: [],
  args: { min: 0, max: 1 },
  interspersed: true,
  completes: "commands",
  run: async (input, registry) => {
    const [name] = input.args;
    print(
      1,
      name === undefined
        ? await renderOverview(await registry.all())
        : await renderHelp(await registry.load(name)),
    );
    return 0;
  },
};
