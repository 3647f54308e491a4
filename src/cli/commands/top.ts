import { containerProcesses } from "../../container/top.ts";
import { print } from "../../linux/process.ts";
import { hostFacts } from "../../linux/procfs.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { readColumns } from "../process-columns.ts";
import { renderTable } from "../table.ts";

/** Docker's columns are at least so wide. */
const WIDTH = 20;

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
    print(
      1,
      renderTable(
        columns.map(({ header }) => header),
        rows,
        WIDTH,
      ),
    );
    return 0;
  },
};
