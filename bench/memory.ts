import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Held {
  /** kB of Private_Dirty of the processes that stay on the host's side of one container. */
  readonly host: number;
  /** The same of the container's own first process. */
  readonly container: number;
  /** The names of the processes counted in `host`. */
  readonly names: readonly string[];
}

/** proc(5): every process there is, with its parent. */
export function processes(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined;
    if (parent !== undefined) parents.set(pid, parent);
  }
  return parents;
}

/** The parent of a process; undefined when it is gone, or is a zombie that holds no memory any more. */
function parentOf(pid: number): number | undefined {
  const stat = readIfAny(`/proc/${pid}/stat`);
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === undefined || state === "" || state === "Z" ? undefined : Number(parent);
}

function readIfAny(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function privateDirty(pid: number): number {
  const kilobytes = /^Private_Dirty:\s+(\d+) kB/m.exec(readIfAny(`/proc/${pid}/smaps_rollup`))?.[1];
  if (kilobytes === undefined) throw new Error(`cannot read the memory of process ${pid}`);
  return Number(kilobytes);
}

function pidNamespace(pid: number | "self"): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return "";
  }
}

/**
 * What one idle container holds: the processes that came since `before` and are akin to the container's first
 * process `pid` (ancestors of it, and their other children), as far as they are in our own pid namespace.
 */
export function heldBy(pid: number, before: ReadonlyMap<number, number>): Held {
  const now = processes();
  const isNew = (one: number): boolean => now.has(one) && !before.has(one);
  let top = pid;
  for (let up = now.get(top); up !== undefined && isNew(up); up = now.get(top)) top = up;
  const family = [top];
  for (const member of family) for (const [one, parent] of now) if (parent === member) family.push(one);
  const ours = pidNamespace("self");
  const host = family.filter((one) => one !== pid && isNew(one) && pidNamespace(one) === ours);
  return {
    host: host.reduce((sum, one) => sum + privateDirty(one), 0),
    container: privateDirty(pid),
    names: host.map((one) => readIfAny(`/proc/${one}/comm`).trim()),
  };
}
