import { cgroupsPathOf } from "../runtime/cgroup/folders.ts";
import { cgroupLayout, placeOf } from "../runtime/cgroup/layout.ts";
import { readTraffic, readUsage, type Traffic, type Usage } from "../runtime/cgroup/usage.ts";
import { isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { State } from "./record.ts";
import { findId, listAll, listRunning, presentState, readRecord, recordIfAny } from "./store.ts";

/** What a container uses, as two looks one after the other tell. */
export interface Stats {
  readonly id: string;
  readonly name: string;
  /** As it was asked for: a name, an id or a part of one; the id where all are shown. */
  readonly asked: string;
  /** Of one CPU: 1.5 is one and a half. */
  readonly cpu: number;
  /** What it has used and uses; undefined where it does not run. */
  readonly usage: Usage | undefined;
  readonly traffic: Traffic;
}

/** Which containers are looked at. */
export interface StatsSelection {
  /** Names and ids; none for all that run. */
  readonly names: readonly string[];
  /** Of all containers also those that do not run. */
  readonly all: boolean;
}

interface Look {
  readonly cpu: number;
  /** Nanoseconds of the monotonic clock. */
  readonly at: number;
}

const NO_TRAFFIC: Traffic = { received: 0, sent: 0 };

/** Looks at containers again and again; the CPU that they use is what they used since the look before. */
export class StatsSampler {
  private readonly layout = cgroupLayout();
  private looks = new Map<string, Look>();
  /** What of a container never changes: where its group is, and whether its network is its own. */
  private readonly known = new Map<string, { cgroupsPath: string; ownNetwork: boolean }>();

  /** Throws "No such container" where one of the names is none. */
  constructor(
    private readonly paths: Paths,
    private readonly selection: StatsSelection,
  ) {
    for (const name of selection.names) findId(paths, name);
  }

  /** One look at all of them. Between the first two of a container there is no CPU time to be told. */
  sample(): Stats[] {
    const looks = new Map<string, Look>();
    const stats: Stats[] = [];
    for (const { state, asked } of this.states()) stats.push(this.look(state, asked, looks));
    this.looks = looks;
    return stats;
  }

  private states(): { state: State; asked: string }[] {
    const { names, all } = this.selection;
    if (names.length === 0)
      return (all ? listAll(this.paths) : listRunning(this.paths)).map(({ state }) => ({
        state,
        asked: state.id,
      }));
    return names.flatMap((name) => {
      try {
        return [
          { state: presentState(this.paths, readRecord(this.paths, findId(this.paths, name))), asked: name },
        ];
      } catch {
        // removed meanwhile
        return [];
      }
    });
  }

  private look(state: State, asked: string, looks: Map<string, Look>): Stats {
    const { id, name } = state;
    const { cgroupsPath, ownNetwork } = this.about(id);
    const usage = isUp(state) ? readUsage(placeOf(this.layout, cgroupsPath)) : undefined;
    if (!usage) return { id, name, asked, cpu: 0, usage, traffic: NO_TRAFFIC };
    const at = Bun.nanoseconds();
    const before = this.looks.get(id);
    looks.set(id, { cpu: usage.cpu, at });
    const spent = before ? (usage.cpu - before.cpu) / (at - before.at) : 0;
    const traffic = ownNetwork ? readTraffic(state.pid) : NO_TRAFFIC;
    return { id, name, asked, cpu: Math.max(spent, 0), usage, traffic };
  }

  private about(id: string): { cgroupsPath: string; ownNetwork: boolean } {
    let known = this.known.get(id);
    if (!known) {
      const record = recordIfAny(this.paths, id);
      // as Docker: the host's traffic is not the container's
      known = {
        cgroupsPath: cgroupsPathOf(id, record?.cgroupParent),
        ownNetwork: record?.network !== "host",
      };
      this.known.set(id, known);
    }
    return known;
  }
}
