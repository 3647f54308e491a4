import { readText } from "../linux/file.ts";
import { bootId, startTime } from "../linux/process.ts";
import type { State } from "./record.ts";

/**
 * Who runs, in one look: the lines of /proc/locks (proc(5)), as `pid inode` of each flock. A monitor holds one on
 * its container's log for as long as it lives, and no other process can have both numbers.
 */
export function heldLocks(): ReadonlySet<string> {
  const held = new Set<string>();
  const locks = readText("/proc/locks", undefined, 1 << 18);
  for (const [, pid, inode] of locks.matchAll(/FLOCK +\S+ +\S+ +([0-9]+) [^:]+:[^:]+:([0-9]+) /g))
    held.add(`${pid} ${inode}`);
  return held;
}

/** Whether the container of this state runs, by what `heldLocks` saw. */
export function isHeld(state: State, held: ReadonlySet<string>): boolean {
  return (
    state.status === "running" && state.bootId === bootId() && held.has(`${state.monitor} ${state.lockInode}`)
  );
}

/** Whether the container's first process runs: its pid with its start time, in this boot. */
export function isRunning(state: State | undefined): state is State {
  if (state?.status !== "running" || state.bootId !== bootId()) return false;
  return startTime(Number(state.pid)) === state.startTime;
}
