import { readlinkIfAny } from "../linux/file.ts";
import { memoryTotal, parseTraffic, type Traffic } from "../linux/procfs.ts";
import { exists } from "../linux/stat.ts";
import { cgroupLayout, type GroupPlace } from "../runtime/cgroup/layout.ts";
import { readKernelFile } from "../runtime/cgroup/members.ts";
import { type GroupUsage, groupUsage } from "../runtime/cgroup/usage.ts";
import { groupOf } from "./group.ts";
import { isRunning, isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { findId, listAll, listRunning, readRecord, readState } from "./store.ts";

/** What a container uses, sums since its start but for CPU and memory; sizes are bytes. */
export interface Figures extends Omit<GroupUsage, "cpu">, Traffic {
  /** CPU time since the look before, of the time that went by; 100 is one core. */
  readonly cpuPercent: number;
  /** That of the container, or the host's memory where that is less. */
  readonly memoryLimit: number;
}

/** A container as a look finds it; of one that does not run the figures are 0. */
export interface Seen {
  readonly id: string;
  readonly name: string;
  /** What it was asked for by: the name or id as it was typed, else its id. */
  readonly reference: string;
  readonly status: "running" | "stopped" | "removed";
  readonly figures: Figures;
}

/** A container that was asked for by name, and what it is. */
export interface Named {
  readonly reference: string;
  readonly record: ContainerRecord;
}

/** What is kept of a run of a container from one look to the next. */
interface Kept {
  readonly pid: string;
  readonly place: GroupPlace;
  /** False where it shares this host's, whose traffic Docker gives to none. */
  readonly ownNetwork: boolean;
  readonly cpu: number;
  /** When `cpu` was read, in milliseconds of the monotonic clock. */
  readonly at: number;
}

/** A container as it was found, with its state where it runs. */
type Found = Omit<Seen, "figures"> & { readonly state?: State };

const NO_TRAFFIC: Traffic = { received: 0, sent: 0 };
const NOTHING: Figures = {
  memory: 0,
  read: 0,
  written: 0,
  pids: 0,
  cpuPercent: 0,
  memoryLimit: 0,
  ...NO_TRAFFIC,
};

/** The container that `reference` names; throws "No such container". */
export function nameContainer(paths: Paths, reference: string): Named {
  return { reference, record: readRecord(paths, findId(paths, reference)) };
}

/** Looks at containers again and again, each time in the same order: those that run, all, or those that were named. */
export class Meter {
  private readonly layout = cgroupLayout();
  private readonly hostMemory = memoryTotal() * 1024;
  private readonly hostNetwork = readlinkIfAny("/proc/self/ns/net");
  private kept = new Map<string, Kept>();
  /** When the last look began; undefined before the first. */
  private last: number | undefined;

  constructor(
    private readonly paths: Paths,
    private readonly watched: "running" | "all" | readonly Named[],
  ) {}

  /** What the containers use now. The first look knows of no time gone by: its CPU is 0. */
  look(): Seen[] {
    const begun = performance.now();
    const before = this.kept;
    this.kept = new Map();
    const seen = typeof this.watched === "string" ? this.listed(this.watched) : this.watched.map(this.named);
    const rows = seen.map(({ state, ...row }) => ({
      ...row,
      figures: state ? this.measure(state, before.get(row.id)) : NOTHING,
    }));
    this.last = begun;
    return rows;
  }

  private listed(which: "running" | "all"): Found[] {
    const listed = which === "all" ? listAll(this.paths) : listRunning(this.paths);
    return listed.map(({ state }) => {
      const row = { id: state.id, name: state.name, reference: state.id };
      return isUp(state) ? { ...row, status: "running", state } : { ...row, status: "stopped" };
    });
  }

  private readonly named = ({ reference, record }: Named): Found => {
    const row = { id: record.id, name: record.name, reference };
    const state = readState(this.paths, record);
    if (isRunning(state)) return { ...row, status: "running", state };
    return { ...row, status: exists(this.paths.record(record.id)) ? "stopped" : "removed" };
  };

  private measure({ id, pid }: State, before: Kept | undefined): Figures {
    const same = before?.pid === pid ? before : undefined;
    const place = same?.place ?? groupOf(this.paths, id, this.layout).place;
    const ownNetwork = same?.ownNetwork ?? readlinkIfAny(`/proc/${pid}/ns/net`) !== this.hostNetwork;
    const { cpu, memoryLimit = this.hostMemory, ...usage } = groupUsage(place);
    const at = performance.now();
    this.kept.set(id, { pid, place, ownNetwork, cpu, at });
    // a run that began since the last look had used nothing then
    const since = same?.at ?? this.last ?? at;
    const used = cpu - (same?.cpu ?? 0);
    return {
      ...usage,
      ...(ownNetwork ? parseTraffic(readKernelFile(`/proc/${pid}/net/dev`) ?? "") : NO_TRAFFIC),
      cpuPercent: at > since && used > 0 ? (used / 1e6 / (at - since)) * 100 : 0,
      memoryLimit: Math.min(memoryLimit, this.hostMemory),
    };
  }
}
