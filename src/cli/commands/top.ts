import { containerProcesses } from "../../container/top.ts";
import { print } from "../../linux/process.ts";
import { hostFacts } from "../../linux/procfs.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { readColumns } from "../process-columns.ts";

/** Docker's columns are at least so wide. */
const WIDTH = 20;
const GAP = 3;

/** `top`: the processes of a container, as the host sees them. */
export const command: Command = {
  name: "top",
  summary: "List the processes of a container",
  usage: "CONTAINER [ps OPTIONS]",
  flags: [],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "containers",
  examples: ["mydocker top c1", "mydocker top c1 aux", "mydocker top c1 -o pid,rss,args"],
  run: (input) => {
    const [name = "", ...options] = input.args;
    const processes = containerProcesses(enginePaths(), name);
    const columns = readColumns(options);
    const host = hostFacts();
    const rows = processes.map((of) => columns.map(({ show }) => String(show(of, host))));
    print(1, wideTable([columns.map(({ header }) => header), ...rows]));
    return 0;
  },
};

/** Rows with columns that are padded, the last one not. */
function wideTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? WIDTH, cell.length + GAP);
    });
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join(""),
    )
    .map((line) => `${line}\n`)
    .join("");
}
