import type { DeviceRate, DeviceWeight, Limits } from "../container/record.ts";
import { cpuOf } from "../container/resources.ts";
import type { Flag, Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";
import { parseCpus, parseCpuset, parseMemory, parseShares, parseSize } from "./units.ts";

/** The flags that limit what a container may use. */
export const limitFlags: readonly Flag[] = [
  { name: "memory", short: "m", kind: "string", value: "BYTES", help: "Memory limit (6m, 1g)" },
  {
    name: "memory-swap",
    kind: "string",
    value: "BYTES",
    help: "Memory and swap together (twice the memory; -1: no limit)",
  },
  { name: "memory-reservation", kind: "string", value: "BYTES", help: "Memory that it is to keep" },
  { name: "memory-swappiness", kind: "int", value: "N", help: "How readily it is swapped, 0 to 100" },
  { name: "kernel-memory", kind: "string", value: "BYTES", help: "Refused: --memory counts it" },
  { name: "oom-group", kind: "bool", help: "Out of memory: kill all of it, not one process (cgroup v2)" },
  { name: "oom-kill-disable", kind: "bool", help: "Let it wait for memory, not be killed (cgroup v1)" },
  {
    name: "cpu-shares",
    short: "c",
    aliases: ["cpushare"],
    kind: "string",
    value: "N",
    help: "CPU shares against others (1024)",
  },
  {
    name: "cpuset-cpus",
    aliases: ["cpuset"],
    kind: "string",
    value: "LIST",
    help: "CPUs it may run on (0-1,3)",
  },
  { name: "cpuset-mems", kind: "string", value: "LIST", help: "Memory nodes it may use (0-1)" },
  { name: "cpus", aliases: ["cpu"], kind: "string", value: "N", help: "How many CPUs it may use (1.5)" },
  { name: "cpu-period", kind: "int", value: "US", help: "Period of --cpu-quota, in microseconds (100000)" },
  { name: "cpu-quota", kind: "int", value: "US", help: "CPU time in each period, in microseconds" },
  {
    name: "cpu-burst",
    kind: "int",
    value: "US",
    help: "How much of the quota may be saved for later periods, in microseconds",
  },
  {
    name: "pids-limit",
    kind: "int",
    value: "N",
    help: "How many processes it may have (2048; -1: no limit)",
  },
  { name: "cpu-rt-period", kind: "int", value: "US", help: "Period of --cpu-rt-runtime (cgroup v1)" },
  { name: "cpu-rt-runtime", kind: "int", value: "US", help: "Real-time CPU time in each period (cgroup v1)" },
  {
    name: "blkio-weight",
    kind: "int",
    value: "N",
    help: "Weight of its disk I/O against others, 10 to 1000",
  },
  { name: "blkio-weight-device", kind: "list", value: "PATH:N", help: "The same on one device" },
  rateFlag("device-read-bps", "Bytes a second that it may read from a device"),
  rateFlag("device-write-bps", "Bytes a second that it may write to a device"),
  rateFlag("device-read-iops", "Reads a second from a device"),
  rateFlag("device-write-iops", "Writes a second to a device"),
];

function rateFlag(name: string, help: string): Flag {
  return { name, kind: "list", value: "PATH:RATE", help };
}

/** The limits that were asked for, each checked alone and against the others. Throws UsageError. */
export function readLimits(input: Parsed): Limits {
  const limits = readChange(input);
  checkLimits(limits);
  return limits;
}

/** The same without what needs the others to be judged: these may be those that a container has already. */
export function readChange(input: Parsed): Limits {
  if (input.text("kernel-memory"))
    throw new UsageError(
      "--kernel-memory cannot be set: kernels have no such limit any more; --memory counts the kernel's memory too",
    );
  return withoutUndefined({
    ...readMemory(input),
    ...readCpu(input),
    pids: readPids(input.int("pids-limit")),
    blkioWeight: readWeight(input.int("blkio-weight")),
    blkioWeightDevice: readWeights(input),
    deviceReadBps: readRates(input, "device-read-bps", parseSize),
    deviceWriteBps: readRates(input, "device-write-bps", parseSize),
    deviceReadIops: readRates(input, "device-read-iops", Number),
    deviceWriteIops: readRates(input, "device-write-iops", Number),
  });
}

/** Throws UsageError where limits contradict each other. */
export function checkLimits(limits: Limits): void {
  const { cpuRealtimePeriod = 1_000_000, cpuRealtimeRuntime = 0 } = limits;
  if (cpuRealtimeRuntime < 0 || cpuRealtimePeriod < 0)
    throw new UsageError("--cpu-rt-runtime and --cpu-rt-period are microseconds, and not below 0");
  if (cpuRealtimeRuntime > cpuRealtimePeriod)
    throw new UsageError(
      `--cpu-rt-runtime (${cpuRealtimeRuntime}) cannot be more than --cpu-rt-period (${cpuRealtimePeriod})`,
    );
  const { memory, memorySwap, memoryReservation, cpuBurst } = limits;
  const { quota } = cpuOf(limits);
  if (cpuBurst !== undefined && (quota === undefined || cpuBurst < 0 || cpuBurst > quota))
    throw new UsageError(
      `invalid CPU burst '${cpuBurst}': it is from 0 to the quota of a period${quota === undefined ? ", and needs --cpus or --cpu-quota" : `, which is ${quota}`}`,
    );
  if (memorySwap !== undefined && memory === undefined)
    throw new UsageError("--memory-swap needs --memory: it is the sum of both");
  if (memorySwap !== undefined && memorySwap > 0 && memorySwap < (memory ?? 0))
    throw new UsageError(
      "--memory-swap is less than --memory: it is memory and swap together; -1 is no limit",
    );
  if (memoryReservation !== undefined && memory !== undefined && memoryReservation > memory)
    throw new UsageError("--memory-reservation is more than --memory: it can be at most that");
}

type Read = { [K in keyof Limits]: Limits[K] | undefined };

/** The entries that are there. */
export function withoutUndefined(entries: Read): Limits {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}

/** The value of a flag, as `parse` reads it; an empty text is none given, which scripts with empty variables rely on. */
function given<T>(input: Parsed, flag: string, parse: (text: string) => T | undefined): T | undefined {
  const text = input.text(flag);
  return text ? parse(text) : undefined;
}

/** As many as the kernel can number. */
const MOST_PIDS = 4_194_304;

/** As Docker: zero and below lift the limit. */
function readPids(pids: number | undefined): number | undefined {
  if (pids !== undefined && pids > MOST_PIDS)
    throw new UsageError(`invalid pids limit '${pids}': the maximum is ${MOST_PIDS}; -1 is no limit`);
  return pids === undefined ? undefined : pids > 0 ? pids : -1;
}

/** As Docker: 0 is none given. */
function readWeight(weight: number | undefined): number | undefined {
  if (weight !== undefined && weight !== 0 && (weight < 10 || weight > 1000))
    throw new UsageError(`invalid blkio weight '${weight}': the range is from 10 to 1000`);
  return weight || undefined;
}

function readWeights(input: Parsed): DeviceWeight[] | undefined {
  const weights = input.list("blkio-weight-device").map((text) => {
    const [, path = "", number = ""] = /^(\/dev\/[^:]+):([0-9]+)$/.exec(text) ?? [];
    const weight = readWeight(Number(number));
    if (weight === undefined)
      throw new UsageError(
        `invalid value "${text}" for --blkio-weight-device: it must be /dev/DEVICE:WEIGHT`,
      );
    return { path, weight };
  });
  return weights.length > 0 ? weights : undefined;
}

/** `/dev/sda:1mb`, or `/dev/sda:100` where operations are counted. */
function readRates(input: Parsed, flag: string, parse: (text: string) => number): DeviceRate[] | undefined {
  const rates = input.list(flag).map((text) => {
    const [path = "", amount = "", ...rest] = text.split(":");
    if (!path.startsWith("/dev/") || amount === "" || rest.length > 0)
      throw new UsageError(`invalid value "${text}" for --${flag}: it must be /dev/DEVICE:RATE`);
    const rate = parse(amount);
    if (!Number.isSafeInteger(rate) || rate < 1)
      throw new UsageError(`invalid rate "${amount}" for --${flag}: it must be a whole number above 0`);
    return { path, rate };
  });
  return rates.length > 0 ? rates : undefined;
}

function readMemory(input: Parsed): Read {
  const memory = given(input, "memory", parseMemory);
  const memorySwap = given(input, "memory-swap", (text) =>
    text === "-1" ? -1 : parseSize(text) || undefined,
  );
  const memoryReservation = given(input, "memory-reservation", (text) =>
    parseMemory(text, "memory reservation"),
  );
  const swappiness = input.int("memory-swappiness");
  if (swappiness !== undefined && (swappiness < -1 || swappiness > 100))
    throw new UsageError(`invalid memory swappiness '${swappiness}': the range is from 0 to 100`);
  return {
    memory,
    memorySwap,
    memoryReservation,
    // as Docker: -1 is the host's
    swappiness: swappiness === -1 ? undefined : swappiness,
    oomKillDisable: input.bool("oom-kill-disable") || undefined,
    oomGroup: input.bool("oom-group") || undefined,
  };
}

function readCpu(input: Parsed): Read {
  const nanoCpus = given(input, "cpus", (text) => parseCpus(text, navigator.hardwareConcurrency));
  const period = input.int("cpu-period") || undefined;
  const quota = input.int("cpu-quota") || undefined;
  if (nanoCpus !== undefined && (period ?? quota) !== undefined)
    throw new UsageError("--cpus and --cpu-period or --cpu-quota exclude each other: it is made of them");
  if (period !== undefined && (period < 1000 || period > 1_000_000))
    throw new UsageError(
      `invalid CPU period '${period}': the minimum is 1000 (1 ms), the maximum 1000000 (1 s)`,
    );
  if (quota !== undefined && quota > 0 && quota < 1000)
    throw new UsageError(`invalid CPU quota '${quota}': the minimum is 1000 (1 ms); -1 is no limit`);
  return {
    nanoCpus,
    cpuShares: given(input, "cpu-shares", parseShares),
    cpuset: given(input, "cpuset-cpus", parseCpuset),
    cpusetMems: given(input, "cpuset-mems", (text) => parseCpuset(text, "memory nodes")),
    cpuPeriod: period,
    cpuRealtimePeriod: input.int("cpu-rt-period") || undefined,
    cpuRealtimeRuntime: input.int("cpu-rt-runtime") || undefined,
    cpuBurst: input.int("cpu-burst") || undefined,
    cpuQuota: quota !== undefined && quota < 0 ? -1 : quota,
  };
}
