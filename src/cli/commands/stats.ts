import { StatsSampler } from "../../container/stats.ts";
import { print } from "../../linux/process.ts";
import { isTerminal } from "../../linux/tty.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatStats } from "../stats-format.ts";

/** Between two frames. */
const PAUSE = 1000;
/** Between the two looks of --no-stream: the kernel counts CPU time in nanoseconds, and a throttled program runs in bursts. */
const SHORT_PAUSE = 500;

/** `stats`: what containers use, live. */
export const command: Command = {
  name: "stats",
  summary: "Show what containers use of CPU, memory, network and disks",
  usage: "[OPTIONS] [CONTAINER...]",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Also containers that do not run" },
    { name: "no-stream", kind: "bool", help: "Once, not again and again" },
    { name: "no-trunc", kind: "bool", help: "Shorten nothing (ids are short already)" },
    {
      name: "format",
      kind: "string",
      value: "FORMAT",
      help: "table, table TEMPLATE, json, or a Go template such as {{.Name}} {{.CPUPerc}}",
    },
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker stats", "mydocker stats --no-stream --format json c1"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const format = input.text("format") ?? "";
  const sampler = new StatsSampler(enginePaths(), { names: input.args, all: input.bool("all") });
  sampler.sample();
  await Bun.sleep(SHORT_PAUSE);
  if (input.bool("no-stream")) {
    print(1, formatStats(format, sampler.sample()));
    return 0;
  }
  const show = isTerminal(1) ? frame : (text: string): string => text;
  for (;;) {
    print(1, show(formatStats(format, sampler.sample())));
    await Bun.sleep(PAUSE);
  }
}

/** Over the frame before: from the top, each line's rest and all below it cleared. */
function frame(text: string): string {
  return `\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J`;
}
