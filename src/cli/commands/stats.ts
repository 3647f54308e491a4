import type { Paths } from "../../container/paths.ts";
import { Meter, type Named, nameContainer } from "../../container/stats.ts";
import { NoSuchContainer } from "../../container/store.ts";
import { print } from "../../linux/process.ts";
import { isTerminal } from "../../linux/tty.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatStats, overwriting } from "../stats-format.ts";
import { tellError } from "../tell.ts";

/** From the first look to the second, in milliseconds. */
const SHORT = 500;
/** From one frame to the next, in milliseconds. */
const FRAME = 1000;

/** `stats`: what containers use, once or as it changes. */
export const command: Command = {
  name: "stats",
  summary: "Show what containers use of CPU, memory, network and disks",
  usage: "[OPTIONS] [CONTAINER...]",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Stopped ones too" },
    { name: "no-stream", kind: "bool", help: "Once only" },
    { name: "no-trunc", kind: "bool", help: "Whole ids (which they always are)" },
    {
      name: "format",
      kind: "string",
      value: "TEMPLATE",
      help: "json, or a Go template, with 'table ' before it as a table",
    },
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: [
    "mydocker stats",
    "mydocker stats --no-stream c1 c2",
    "mydocker stats --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}}'",
  ],
  run,
};

/** Goes on until a signal ends it, as it ends every program (130 for Ctrl-C), or its reader is gone. */
async function run(input: Parsed): Promise<number> {
  const paths = enginePaths();
  const named = await nameAll(paths, input.args);
  if (named === undefined) return 1;
  const format = input.text("format") || "table";
  const meter = new Meter(paths, named.length > 0 ? named : input.bool("all") ? "all" : "running");
  const shape = isTerminal(1) && !input.bool("no-stream") ? overwriting : (text: string) => text;
  let seen = meter.look();
  let next = performance.now();
  // of none that runs there is nothing to wait for
  if (seen.some(({ status }) => status === "running")) {
    await Bun.sleep(SHORT);
    seen = meter.look();
  }
  for (;;) {
    print(1, shape(formatStats(format, seen)));
    if (input.bool("no-stream")) return 0;
    next = Math.max(next + FRAME, performance.now() + FRAME / 2);
    await Bun.sleep(next - performance.now());
    seen = meter.look();
  }
}

/** The containers of these names, each once; undefined where some are not there, after having told which. */
async function nameAll(paths: Paths, names: readonly string[]): Promise<Named[] | undefined> {
  const named: Named[] = [];
  let missing = false;
  for (const name of new Set(names)) {
    try {
      named.push(nameContainer(paths, name));
    } catch (error) {
      if (!(error instanceof NoSuchContainer)) throw error;
      missing = true;
      await tellError(error.message);
    }
  }
  return missing ? undefined : named;
}
