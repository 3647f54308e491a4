import { statusOf } from "../../container/liveness.ts";
import type { State } from "../../container/record.ts";
import { collectGarbage } from "../../container/remove.ts";
import { listAll, listRunning } from "../../container/store.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { containerFilter } from "../filter.ts";
import { renderTable, shorten } from "../table.ts";

/** `ps`: containers and what they do. */
export const command: Command = {
  name: "ps",
  summary: "List containers",
  usage: "[OPTIONS]",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Stopped ones too" },
    { name: "quiet", short: "q", kind: "bool", help: "Only the ids" },
    { name: "no-trunc", kind: "bool", help: "Whole commands" },
    {
      name: "format",
      kind: "string",
      value: "TEMPLATE",
      help: "json, or a Go template, with 'table ' before it as a table",
    },
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "KEY=VALUE",
      help: "id, name, status, exited, ancestor, label, volume, network, publish, expose, before, since",
    },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: [
    "mydocker ps",
    "mydocker ps -a --filter status=exited",
    "mydocker ps --format '{{.ID}} {{.Names}}'",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const paths = enginePaths();
  const filters = input.list("filter");
  // a question about containers that do not run is one about all of them
  const all = input.bool("all") || filters.some((filter) => /^(status|exited)=/.test(filter));
  if (all) collectGarbage(paths);
  let listed = all ? listAll(paths) : listRunning(paths);
  for (const { broken, state } of listed)
    if (broken !== undefined)
      print(
        2,
        `mydocker: the record of container ${state.id} is damaged (${broken}); 'mydocker rm -f ${state.id}' removes it\n`,
      );
  if (filters.length > 0) {
    const matches = containerFilter(paths, filters);
    listed = listed.filter(({ state }) => matches(state));
  }
  const states = listed.map(({ state }) => state);
  const format = input.text("format");
  const whole = input.bool("no-trunc");
  if (input.bool("quiet")) print(1, states.map(({ id }) => `${id}\n`).join(""));
  else if (format === undefined || format === "" || format === "table") print(1, classicTable(states, whole));
  else {
    const { formatContainers } = await import("../container-format.ts");
    print(1, formatContainers(paths, format, states, whole));
  }
  return 0;
}

/** The columns of the classic tool. */
function classicTable(states: readonly State[], whole: boolean): string {
  const rows = states.map((state) => [
    state.id,
    state.name,
    state.pid,
    // the classic word for one that `stop` has ended
    state.status === "stopped" ? state.status : statusOf(state),
    whole ? state.command : shorten(state.command, 20),
    state.createTime,
  ]);
  return renderTable(["ID", "NAME", "PID", "STATUS", "COMMAND", "CREATED"], rows);
}
