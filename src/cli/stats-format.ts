import { totalmem } from "node:os";
import type { Stats } from "../container/stats.ts";
import { formatRows } from "./format.ts";
import { humanSize, memorySize } from "./units.ts";

/** Docker's headers of `stats`, in the order of its columns. */
const HEADERS = {
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
};
const COLUMNS = Object.keys(HEADERS)
  .filter((field) => field !== "Container")
  .map((field) => `{{.${field}}}`)
  .join("\t");

/** The rows of `stats` in a format of --format: a table where there is none. */
export function formatStats(format: string, stats: readonly Stats[]): string {
  return formatRows(format || "table", HEADERS, stats.map(fieldsOf), COLUMNS);
}

/** Docker's fields, in the order of its JSON. What does not run has nothing in use. */
function fieldsOf({ id, name, asked, cpu, usage, traffic }: Stats): Record<string, string> {
  const host = totalmem();
  const limit = Math.min(usage?.memoryLimit ?? 0, host);
  const used = usage?.memory ?? 0;
  return {
    BlockIO: `${ioSize(usage?.read)} / ${ioSize(usage?.written)}`,
    CPUPerc: percent(cpu),
    Container: asked,
    ID: id,
    MemPerc: percent(limit > 0 ? used / limit : 0),
    MemUsage: `${memorySize(used)} / ${memorySize(limit)}`,
    Name: name,
    NetIO: `${ioSize(traffic.received)} / ${ioSize(traffic.sent)}`,
    PIDs: String(usage?.processes ?? 0),
  };
}

function ioSize(bytes = 0): string {
  return humanSize(bytes, 3);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
