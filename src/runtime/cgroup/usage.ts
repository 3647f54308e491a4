import { folderWith, type GroupPlace } from "./layout.ts";
import { readKernelFile } from "./members.ts";

/** What a group uses, those below it included. What the kernel does not tell is 0. */
export interface GroupUsage {
  /** CPU time since the group was made, in nanoseconds. */
  readonly cpu: number;
  /** Bytes in use, without the page cache that would be given up first. */
  readonly memory: number;
  /** Bytes; undefined where there is no limit. */
  readonly memoryLimit: number | undefined;
  /** Bytes read from and written to block devices since the group was made. */
  readonly read: number;
  readonly written: number;
  /** Processes and threads. */
  readonly pids: number;
}

/** v1 writes "no limit" as the largest count of whole pages in a long: far above what any machine has. */
const V1_NO_LIMIT = 2 ** 62;

/** What a group uses now. Of one that is gone, or of a controller that is missing, 0. */
export function groupUsage(place: GroupPlace): GroupUsage {
  return { cpu: readCpu(place), ...readMemory(place), ...readBlocks(place), pids: readPids(place) };
}

function readCpu(place: GroupPlace): number {
  const { version, folder } = folderWith(place, "cpuacct");
  if (version === 1) return parseNumber(readKernelFile(`${folder}/cpuacct.usage`));
  return parseKey(readKernelFile(`${folder}/cpu.stat`), "usage_usec") * 1000;
}

function readMemory(place: GroupPlace): Pick<GroupUsage, "memory" | "memoryLimit"> {
  const { version, folder } = folderWith(place, "memory");
  const [current, limit, inactive] =
    version === 1
      ? ["memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"]
      : ["memory.current", "memory.max", "inactive_file"];
  const used = parseNumber(readKernelFile(`${folder}/${current}`));
  const cache = used > 0 ? parseKey(readKernelFile(`${folder}/memory.stat`), inactive) : 0;
  return {
    // the two are counted apart, and the second may be ahead of the first
    memory: cache < used ? used - cache : used,
    memoryLimit: parseLimit(readKernelFile(`${folder}/${limit}`)),
  };
}

function readBlocks(place: GroupPlace): Pick<GroupUsage, "read" | "written"> {
  const { version, folder } = folderWith(place, "blkio");
  return version === 1
    ? parseServiceBytes(readKernelFile(`${folder}/blkio.throttle.io_service_bytes_recursive`))
    : parseIoStat(readKernelFile(`${folder}/io.stat`));
}

function readPids(place: GroupPlace): number {
  return parseNumber(readKernelFile(`${folderWith(place, "pids").folder}/pids.current`));
}

/** The whole number that a text begins with, or 0. */
export function parseNumber(text: string | undefined): number {
  return Number(/^[0-9]+/.exec(text ?? "")?.[0] ?? 0);
}

/** The number behind a key at the beginning of a line (`usage_usec 123`), or 0. */
export function parseKey(text: string | undefined, key: string): number {
  const lines = `\n${text ?? ""}`;
  const at = lines.indexOf(`\n${key} `);
  return at < 0 ? 0 : parseNumber(lines.slice(at + key.length + 2));
}

/** A limit in bytes; undefined for "max", v1's largest number, and no text at all. */
export function parseLimit(text: string | undefined): number | undefined {
  const limit = /^[0-9]/.test(text ?? "") ? parseNumber(text) : V1_NO_LIMIT;
  return limit < V1_NO_LIMIT ? limit : undefined;
}

/** Bytes of all devices in v1's blkio.throttle.io_service_bytes_recursive: `8:0 Read 123` (blkio-controller.rst). */
export function parseServiceBytes(text: string | undefined): Pick<GroupUsage, "read" | "written"> {
  return { read: sum(text, / Read ([0-9]+)$/gm), written: sum(text, / Write ([0-9]+)$/gm) };
}

/** Bytes of all devices in v2's io.stat: `8:0 rbytes=123 wbytes=456 ...` (cgroup-v2.rst). */
export function parseIoStat(text: string | undefined): Pick<GroupUsage, "read" | "written"> {
  return { read: sum(text, / rbytes=([0-9]+)/g), written: sum(text, / wbytes=([0-9]+)/g) };
}

function sum(text: string | undefined, pattern: RegExp): number {
  let total = 0;
  for (const [, bytes] of (text ?? "").matchAll(pattern)) total += Number(bytes);
  return total;
}
