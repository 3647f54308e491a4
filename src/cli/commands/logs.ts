import { type LogEntry, readLogs } from "../../container/logs.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { parseTimestamp } from "../units.ts";

/** `logs`: what a container wrote, each stream on its own. */
export const command: Command = {
  name: "logs",
  summary: "Show the output of a container",
  usage: "[OPTIONS] CONTAINER",
  flags: [
    { name: "follow", short: "f", kind: "bool", help: "Go on until the container ends" },
    { name: "tail", short: "n", kind: "string", value: "N", help: "Only the last N lines (all)" },
    { name: "timestamps", short: "t", kind: "bool", help: "Put its time before each line" },
    {
      name: "since",
      kind: "string",
      value: "TIME",
      help: "Only from this time on (2026-01-31T12:00:00Z, 10m)",
    },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker logs c1", "mydocker logs -f --tail 10 c1", "mydocker logs -t --since 5m c1"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const timestamps = input.bool("timestamps");
  const since = input.text("since");
  const show = ({ log, stream, time }: LogEntry): void => {
    print(stream === "stdout" ? 1 : 2, timestamps ? `${time} ${log}` : log);
  };
  await readLogs(
    enginePaths(),
    input.args[0] ?? "",
    {
      follow: input.bool("follow"),
      tail: readTail(input.text("tail")),
      since: since === undefined ? undefined : nanosecondsToRfc3339(parseTimestamp(since, Date.now())),
      pause: 20,
    },
    show,
  );
  return 0;
}

function readTail(text: string | undefined): number | undefined {
  if (text === undefined || text === "all" || /^-[0-9]+$/.test(text)) return undefined;
  if (/^[0-9]+$/.test(text)) return Number(text);
  throw new UsageError(`invalid value "${text}" for --tail: a number of lines, or all`);
}

function nanosecondsToRfc3339(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(time % 1_000_000_000n).padStart(9, "0")}Z`;
}
