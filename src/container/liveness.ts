import { isErrno } from "../linux/errno.ts";
import { close, O, open, readRegular, tryLockShared } from "../linux/file.ts";
import { bootId, startTime } from "../linux/process.ts";
import type { Paths } from "./paths.ts";
import type { State } from "./record.ts";

/** A state as it was found, and whether it is true: its monitor lives, or at least its program does. */
export interface Sighting {
  readonly state: State;
  readonly alive: boolean;
}

const decoder = new TextDecoder();

/**
 * Reads a container's state in /run and tests, by the same descriptor, the lock that its monitor holds on it: four system
 * calls, and true at that moment. (All locks at once, from /proc/locks, would cost an RCU grace period of 8 ms.)
 * Undefined where there is no state, or none that can be read.
 */
export function sight(paths: Paths, name: string): Sighting | undefined {
  let fd: number;
  try {
    fd = open(paths.state(name), O.RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  try {
    const state = JSON.parse(decoder.decode(readRegular(fd))) as State;
    const present = isUp(state) && state.bootId === bootId();
    // a program may outlive a monitor that was killed: it can take away the signal that would end it then
    return { state, alive: present && (!tryLockShared(fd) || isRunning(state)) };
  } catch (error) {
    // cut short by a full /run: the container is judged by what else is known of it
    if (error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    close(fd);
  }
}

/** Whether a state is one of a run that is not over, paused or not. */
export function isUp({ status }: State): boolean {
  return status === "running" || status === "paused";
}

/** Docker's word for what a container does. */
export function statusOf(state: State): "running" | "paused" | "created" | "exited" {
  if (state.status === "running" || state.status === "paused") return state.status;
  return state.startedAt === "" && state.finishedAt === "" ? "created" : "exited";
}

/** Whether the container's first process runs: its pid with its start time, in this boot. */
export function isRunning(state: State | undefined): state is State {
  if (!state || !isUp(state) || state.bootId !== bootId()) return false;
  return startTime(Number(state.pid)) === state.startTime;
}
