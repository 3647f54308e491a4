import { EngineError } from "../linux/errors.ts";
import { close, mkdirIfMissing, writeFileAtomic } from "../linux/file.ts";
import { parseSignal } from "../linux/signals.ts";
import { signalContainer } from "./kill.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { clearRemains } from "./remains.ts";
import { findId, readContainer, readState, waitForEnd } from "./store.ts";

/** What `stop` waits for the program before it kills it. */
export const GRACE_SECONDS = 10;

/**
 * Stops a container: its stop signal, then after `seconds` SIGKILL, which ends every process of its pid namespace.
 * Returns once nothing of the run is left. One that does not run is no error, as with Docker.
 */
export async function stopContainer(paths: Paths, reference: string, seconds: number): Promise<void> {
  const { record } = readContainer(paths, findId(paths, reference));
  const state = readState(paths, record);
  if (!isRunning(state)) return;
  signalContainer(state, parseSignal(record.stopSignal) ?? 15);
  let lock = seconds > 0 ? await waitForEnd(paths, state, seconds) : undefined;
  if (lock === undefined) {
    signalContainer(state, 9);
    lock = await waitForEnd(paths, state, 10);
  }
  if (lock === undefined)
    throw new EngineError(`cannot stop container ${record.name}: its processes do not end`, 1);
  try {
    if (!record.autoRemove) recordStop(paths, record, state);
  } finally {
    close(lock);
  }
}

/** The classic tools tell a container that was stopped from one that ended by itself. */
function recordStop(paths: Paths, record: ContainerRecord, running: State): void {
  const left = readState(paths, record);
  const ended = left?.status === "running" ? undefined : left;
  // nobody saw the end of a run whose monitor was killed
  if (!ended) clearRemains(paths, record.id, record.name);
  const last = ended ?? { ...running, exitCode: 137, finishedAt: new Date().toISOString() };
  mkdirIfMissing(paths.runFolder(record.name), 0o700);
  writeFileAtomic(paths.state(record.name), JSON.stringify({ ...last, status: "stopped" }), false);
}
