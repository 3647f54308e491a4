import { EngineError } from "../../linux/errors.ts";
import type { Resources } from "../spec.ts";

/** A value to write to one file of a group, and the controller it belongs to. */
export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** A kernel may lack the file (swap accounting switched off): then the limit is left out, as Docker does. */
  readonly optional?: boolean;
  /** A file that some kernels have in its place, and what is written there; undefined: there is none, and then `lacking`. */
  readonly orElse?: { readonly file: string; readonly value: string };
}

const PERIOD = 100_000;

/** A weight of block I/O in the file of the scheduler BFQ, or in that of others. */
function weight(
  controller: string,
  [bfq, plain]: readonly [string, string],
  of: string,
  value: number,
  other: number,
): Setting {
  return { controller, file: bfq, value: `${of}${value}`, orElse: { file: plain, value: `${of}${other}` } };
}

/** Collects settings; what is undefined is not set. */
function collector() {
  const settings: Setting[] = [];
  const set = (
    controller: string,
    file: string,
    value: number | string | undefined,
    optional = false,
  ): void => {
    if (value !== undefined)
      settings.push({ controller, file, value: String(value), ...(optional && { optional }) });
  };
  return { settings, set };
}

/**
 * A limit as cgroup v1 writes it: -1 is none. Memory before memory and swap: the second may not be the lower. Throws on
 * what v1 does not have.
 */
export function settingsV1(resources: Resources): Setting[] {
  const { memory, cpu, pids } = resources;
  if (memory?.killGroup) throw notOn(1, "--oom-group");
  const { settings, set } = collector();
  set("memory", "memory.limit_in_bytes", memory?.limit);
  set("memory", "memory.memsw.limit_in_bytes", memory?.swap, memory?.swapOptional);
  set("memory", "memory.soft_limit_in_bytes", memory?.reservation);
  set("memory", "memory.swappiness", memory?.swappiness);
  if (memory?.disableOOMKiller) set("memory", "memory.oom_control", 1);
  set("cpu", "cpu.shares", cpu?.shares || undefined);
  set("cpu", "cpu.cfs_period_us", cpu?.period ?? (cpu?.quota === undefined ? undefined : PERIOD));
  set("cpu", "cpu.cfs_quota_us", cpu?.quota);
  set("cpu", "cpu.cfs_burst_us", cpu?.burst);
  set("cpu", "cpu.rt_period_us", cpu?.realtimePeriod);
  set("cpu", "cpu.rt_runtime_us", cpu?.realtimeRuntime);
  set("cpuset", "cpuset.cpus", cpu?.cpus);
  set("cpuset", "cpuset.mems", cpu?.mems);
  set("pids", "pids.max", unlimited(pids?.limit || undefined));
  const { weight: all, weightDevice } = resources.blockIO ?? {};
  const files = ["blkio.bfq.weight", "blkio.weight"] as const;
  if (all !== undefined) settings.push(weight("blkio", files, "", all, all));
  for (const { major, minor, weight: one } of weightDevice ?? [])
    settings.push(
      weight("blkio", [`${files[0]}_device`, `${files[1]}_device`], `${major}:${minor} `, one, one),
    );
  for (const [kind, file] of THROTTLES)
    for (const { major, minor, rate } of resources.blockIO?.[kind] ?? [])
      set("blkio", `blkio.throttle.${file}_device`, `${major}:${minor} ${rate}`);
  return settings;
}

/** A rate's list in the specification, its file of v1, and its key in io.max of v2. */
const THROTTLES = [
  ["throttleReadBpsDevice", "read_bps", "rbps"],
  ["throttleWriteBpsDevice", "write_bps", "wbps"],
  ["throttleReadIOPSDevice", "read_iops", "riops"],
  ["throttleWriteIOPSDevice", "write_iops", "wiops"],
] as const;

/**
 * The same as cgroup v2 writes it: `max` is none, swap is counted apart from memory, shares are a weight. Throws on what
 * v2 does not have.
 */
export function settingsV2(resources: Resources): Setting[] {
  const { memory, cpu, pids } = resources;
  if (memory?.swappiness !== undefined) throw notOn(2, "--memory-swappiness");
  if (memory?.disableOOMKiller) throw notOn(2, "--oom-kill-disable");
  if ((cpu?.realtimeRuntime ?? cpu?.realtimePeriod) !== undefined)
    throw notOn(2, "--cpu-rt-runtime and --cpu-rt-period");
  const { settings, set } = collector();
  set("memory", "memory.max", unlimited(memory?.limit));
  set("memory", "memory.swap.max", swapOnly(memory?.limit, memory?.swap), memory?.swapOptional);
  set("memory", "memory.low", memory?.reservation);
  if (memory?.killGroup) set("memory", "memory.oom.group", 1);
  if (cpu?.shares) set("cpu", "cpu.weight", sharesToWeight(cpu.shares));
  if (cpu?.quota !== undefined || cpu?.period !== undefined)
    set("cpu", "cpu.max", `${unlimited(cpu.quota) ?? "max"} ${cpu.period ?? PERIOD}`);
  set("cpu", "cpu.max.burst", cpu?.burst);
  set("cpuset", "cpuset.cpus", cpu?.cpus);
  set("cpuset", "cpuset.mems", cpu?.mems);
  set("pids", "pids.max", unlimited(pids?.limit || undefined));
  const { weight: all, weightDevice } = resources.blockIO ?? {};
  const files = ["io.bfq.weight", "io.weight"] as const;
  if (all !== undefined) settings.push(weight("io", files, "", all, weightToV2(all)));
  for (const { major, minor, weight: one } of weightDevice ?? [])
    settings.push(weight("io", files, `${major}:${minor} `, one, weightToV2(one)));
  for (const [kind, , key] of THROTTLES)
    for (const { major, minor, rate } of resources.blockIO?.[kind] ?? [])
      set("io", "io.max", `${major}:${minor} ${key}=${rate}`);
  return settings;
}

/** The v2 name of a v1 controller; they differ in one. */
export function nameInV2(controller: string): string {
  return controller === "blkio" ? "io" : controller;
}

function unlimited(value: number | undefined): number | "max" | undefined {
  return value !== undefined && value < 0 ? "max" : value;
}

function notOn(version: 1 | 2, flag: string): EngineError {
  return new EngineError(
    `cannot set ${flag}: cgroup v${version}, which this host has, does not offer it: leave it out`,
  );
}

function swapOnly(limit: number | undefined, swap: number | undefined): number | "max" | undefined {
  if (swap === undefined || limit === undefined) return undefined;
  return swap < 0 ? "max" : swap - limit;
}

/** blkio.weight (10 to 1000) to io.weight (1 to 10000), linearly, as the OCI runtimes do it. */
export function weightToV2(weight: number): number {
  return Math.floor(1 + ((weight - 10) * 9999) / 990);
}

/**
 * cpu.shares (2 to 262144) to cpu.weight (1 to 10000) as the OCI runtimes do it since 2025: quadratic in the
 * logarithm, so that both defaults meet (1024 becomes 100) and both ends too.
 */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}
