import { EngineError } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { openPidfd, signalPidfd } from "../linux/process.ts";
import { recordEvents } from "./journal.ts";
import { isRunning, isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { resumeContainer } from "./resume.ts";
import { findId, readRecord, readState } from "./store.ts";

/**
 * Sends a signal to the first process of a container; false where it does not run. The pid is held by descriptor
 * before its start time is checked, so that no other process can be hit.
 */
export function signalContainer(state: State | undefined, signal: number): boolean {
  if (!state || !isUp(state)) return false;
  const pidfd = openPidfd(Number(state.pid));
  if (pidfd === undefined) return false;
  try {
    return isRunning(state) && signalPidfd(pidfd, signal);
  } finally {
    close(pidfd);
  }
}

/** A container that must run: its record and present state, or "is not running". */
export function runningContainer(
  paths: Paths,
  reference: string,
): { readonly record: ContainerRecord; readonly state: State } {
  const record = readRecord(paths, findId(paths, reference));
  const state = readState(paths, record);
  if (isRunning(state)) return { record, state };
  throw notRunning(record);
}

export function notRunning({ name }: ContainerRecord): EngineError {
  return new EngineError(`container ${name} is not running; 'mydocker start ${name}' starts it`, 1);
}

/** `kill`: a signal to a running container; one that is paused goes on. */
export function killContainer(paths: Paths, reference: string, signal: number): void {
  const { record, state } = runningContainer(paths, reference);
  // before what comes of it
  recordEvents(paths, record, ["kill"], { signal: String(signal) });
  if (!signalContainer(state, signal)) throw notRunning(record);
  // as Docker: a signal is of no use to somebody who sleeps
  resumeContainer(paths, record, state);
}
