import type { Figures, Seen } from "../container/stats.ts";
import { formatRows } from "./format.ts";
import { humanMemory, humanSize } from "./units.ts";

/** Docker's header for each field of a `table` format. */
const HEADERS: Record<string, string> = {
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
const COLUMNS = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];
const USUAL = COLUMNS.map((field) => `{{.${field}}}`).join("\t");

/** `stats --format`: each container with Docker's fields. */
export function formatStats(format: string, seen: readonly Seen[]): string {
  return formatRows(format, HEADERS, seen.map(fieldsOf), USUAL);
}

/** In the order in which Docker's JSON has them. */
function fieldsOf({ id, name, reference, status, figures }: Seen): Record<string, string> {
  const { BlockIO, CPUPerc, MemPerc, MemUsage, NetIO, PIDs } = status === "removed" ? UNKNOWN : show(figures);
  return { BlockIO, CPUPerc, Container: reference, ID: id, MemPerc, MemUsage, Name: name, NetIO, PIDs };
}

/** What Docker shows of a container of which it knows nothing. */
const UNKNOWN = {
  BlockIO: "--",
  CPUPerc: "--",
  MemPerc: "--",
  MemUsage: "-- / --",
  NetIO: "--",
  PIDs: "--",
};

function show(figures: Figures): typeof UNKNOWN {
  const { memory, memoryLimit } = figures;
  const percent = (value: number): string => `${value.toFixed(2)}%`;
  const pair = (one: number, other: number): string => `${humanSize(one, 3)} / ${humanSize(other, 3)}`;
  return {
    BlockIO: pair(figures.read, figures.written),
    CPUPerc: percent(figures.cpuPercent),
    MemPerc: percent(memoryLimit > 0 ? (memory / memoryLimit) * 100 : 0),
    MemUsage: `${humanMemory(memory)} / ${humanMemory(memoryLimit)}`,
    NetIO: pair(figures.received, figures.sent),
    PIDs: String(figures.pids),
  };
}

/**
 * A text that takes the place of the one before it on a terminal: from the top, each line's rest and all that is below it
 * cleared as it is written, so that nothing flickers.
 */
export function overwriting(text: string): string {
  return `\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J`;
}
