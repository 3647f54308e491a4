import { killContainer } from "../../container/kill.ts";
import { parseSignal } from "../../linux/signals.ts";
import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";

/** `kill`: a signal to the first process of containers. */
export const command: Command = {
  name: "kill",
  summary: "Send a signal to running containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: [
    {
      name: "signal",
      short: "s",
      kind: "string",
      value: "SIGNAL",
      help: "The signal, by name or number (KILL)",
    },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker kill c1", "mydocker kill -s HUP c1"],
  run: (input) => {
    const text = input.text("signal") ?? "KILL";
    const signal = parseSignal(text);
    if (signal === undefined) throw new UsageError(`invalid signal: ${text}`);
    return forEach(input.args, "serial", (name) => killContainer(enginePaths(), name, signal));
  },
};
