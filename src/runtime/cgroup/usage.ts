import { readTextIfAny } from "../../linux/file.ts";
import { folderWith, type GroupPlace } from "./layout.ts";
import { readKernelFile } from "./members.ts";

/** What a group uses at a moment, and has used; a controller that is not there counts as nothing used. */
export interface Usage {
  /** CPU time so far, in nanoseconds. */
  readonly cpu: number;
  /** Bytes of memory, without the files that the kernel can drop at once (as Docker counts). */
  readonly memory: number;
  /** Bytes that it may use; Infinity for no limit. */
  readonly memoryLimit: number;
  /** Bytes read from and written to block devices so far. */
  readonly read: number;
  readonly written: number;
  readonly processes: number;
}

/** Reads what a group uses; undefined where there is no such group. */
export function readUsage(place: GroupPlace): Usage | undefined {
  const pids = folderWith(place, "pids").folder;
  const processes = readKernelFile(`${pids}/pids.current`);
  // without the controller of pids the group is told by its list of processes
  if (processes === undefined && readKernelFile(`${pids}/cgroup.procs`) === undefined) return undefined;
  return {
    cpu: readCpu(place),
    ...readMemory(place),
    ...readBlocks(place),
    processes: numberOf(processes),
  };
}

function numberOf(text: string | undefined): number {
  const number = Number(text ?? 0);
  return Number.isNaN(number) ? 0 : number;
}

/** cgroup-v1/cpuacct.rst; cgroup-v2, "cpu.stat". */
function readCpu(place: GroupPlace): number {
  const { version, folder } = folderWith(place, "cpuacct");
  if (version === 1) return numberOf(readKernelFile(`${folder}/cpuacct.usage`));
  return fieldOf(readKernelFile(`${folder}/cpu.stat`), "usage_usec") * 1000;
}

/** The number behind a word at the beginning of a line; 0 where there is no such line. */
export function fieldOf(text: string | undefined, name: string): number {
  if (text === undefined) return 0;
  const at = text.startsWith(`${name} `) ? 0 : text.indexOf(`\n${name} `) + 1;
  if (at === 0 && !text.startsWith(`${name} `)) return 0;
  const end = text.indexOf("\n", at);
  return numberOf(text.slice(at + name.length + 1, end < 0 ? undefined : end));
}

/** v1 writes a huge number for no limit, v2 `max`. */
export function limitOf(text: string | undefined): number {
  const limit = text === undefined ? Number.POSITIVE_INFINITY : Number(text);
  return Number.isNaN(limit) || limit >= 2 ** 62 ? Number.POSITIVE_INFINITY : limit;
}

/** cgroup-v1/memory.rst; cgroup-v2, "Memory Interface Files". */
function readMemory(place: GroupPlace): Pick<Usage, "memory" | "memoryLimit"> {
  const { version, folder } = folderWith(place, "memory");
  const file = (v1: string, v2: string): string | undefined =>
    readKernelFile(`${folder}/memory.${version === 1 ? v1 : v2}`);
  const used = numberOf(file("usage_in_bytes", "current"));
  const droppable = fieldOf(file("stat", "stat"), version === 1 ? "total_inactive_file" : "inactive_file");
  return {
    memory: droppable < used ? used - droppable : used,
    memoryLimit: limitOf(file("limit_in_bytes", "max")),
  };
}

/** cgroup-v1/blkio-controller.rst; cgroup-v2, "io.stat". */
function readBlocks(place: GroupPlace): Pick<Usage, "read" | "written"> {
  const { version, folder } = folderWith(place, "blkio");
  const file = version === 1 ? "blkio.throttle.io_service_bytes_recursive" : "io.stat";
  return blocksOf(readKernelFile(`${folder}/${file}`) ?? "");
}

/** The bytes of all devices: lines `8:0 Read 4096` of v1, or `8:0 rbytes=4096 wbytes=0 …` of v2. */
export function blocksOf(text: string): Pick<Usage, "read" | "written"> {
  let read = 0;
  let written = 0;
  for (const line of text.split("\n")) {
    const [, ...words] = line.split(" ");
    if (words[0] === "Read") read += numberOf(words[1]);
    else if (words[0] === "Write") written += numberOf(words[1]);
    for (const word of words) {
      if (word.startsWith("rbytes=")) read += numberOf(word.slice(7));
      else if (word.startsWith("wbytes=")) written += numberOf(word.slice(7));
    }
  }
  return { read, written };
}

/** Bytes received and sent by the interfaces of a process's network, loopback left out (proc(5), /proc/pid/net/dev). */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

export function readTraffic(pid: string): Traffic {
  return trafficOf(readTextIfAny(`/proc/${pid}/net/dev`) ?? "");
}

export function trafficOf(text: string): Traffic {
  let received = 0;
  let sent = 0;
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0 || line.slice(0, colon).trim() === "lo") continue;
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/ +/);
    received += numberOf(numbers[0]);
    sent += numberOf(numbers[8]);
  }
  return { received, sent };
}
