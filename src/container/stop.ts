import { EngineError } from "../linux/errors.ts";
import { close, writeFileAtomic } from "../linux/file.ts";
import { parseSignal } from "../linux/signals.ts";
import { signalContainer } from "./kill.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import { findId, readContainer, readState, waitForLock } from "./store.ts";

/** What `stop` waits for the program before it kills it. */
export const GRACE_SECONDS = 10;

/**
 * Stops a container: its stop signal, then after `seconds` SIGKILL, which ends every process of its pid namespace.
 * Returns once nothing of the run is left. One that does not run is no error, as with Docker.
 */
export async function stopContainer(paths: Paths, reference: string, seconds: number): Promise<void> {
  const { record } = readContainer(paths, findId(paths, reference));
  const state = readState(paths, record.name);
  if (!isRunning(state)) return;
  signalContainer(state, parseSignal(record.stopSignal) ?? 15);
  let lock = seconds > 0 ? await waitForLock(paths, record.id, seconds) : undefined;
  if (lock === undefined) {
    signalContainer(state, 9);
    lock = await waitForLock(paths, record.id, 10);
  }
  if (lock === undefined)
    throw new EngineError(`cannot stop container ${record.name}: its processes do not end`, 1);
  // the classic tools tell a container that was stopped from one that ended by itself
  const ended = readState(paths, record.name);
  if (ended && !record.autoRemove)
    writeFileAtomic(paths.state(record.name), JSON.stringify({ ...ended, status: "stopped" }), false);
  close(lock);
}
