import { EngineError } from "../linux/errors.ts";
import { close, mkdirIfMissing, writeFileAtomic } from "../linux/file.ts";
import { parseSignal } from "../linux/signals.ts";
import { recordEvents } from "./journal.ts";
import { signalContainer } from "./kill.ts";
import { isRunning, isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { clearRemains } from "./remains.ts";
import { resumeContainer } from "./resume.ts";
import { findId, NoSuchContainer, readContainer, readState, waitForEnd } from "./store.ts";

/** What `stop` waits for the program before it kills it. */
const GRACE_SECONDS = 10;

/**
 * Stops a container: its stop signal, then after `seconds` (by default what it was created with) SIGKILL, which ends every process of its pid namespace.
 * Returns once nothing of the run is left. One that does not run is no error, as with Docker.
 */
export async function stopContainer(paths: Paths, reference: string, seconds?: number): Promise<void> {
  const { record } = readContainer(paths, findId(paths, reference));
  const lock = await stopAndHold(paths, record, seconds);
  if (lock !== undefined) close(lock);
}

/** The same, and returns the lock on the container's folder; undefined where it did not run, or is gone with its program. */
export async function stopAndHold(
  paths: Paths,
  record: ContainerRecord,
  seconds = record.stopTimeout ?? GRACE_SECONDS,
): Promise<number | undefined> {
  const state = readState(paths, record);
  if (!isRunning(state)) return undefined;
  try {
    const lock = await endRun(paths, record, state, seconds);
    recordStop(paths, record, state);
    recordEvents(paths, record, ["stop"]);
    return lock;
  } catch (error) {
    if (record.autoRemove && error instanceof NoSuchContainer) return undefined;
    throw error;
  }
}

async function endRun(paths: Paths, record: ContainerRecord, state: State, seconds: number): Promise<number> {
  const signal = (number: number): void => {
    recordEvents(paths, record, ["kill"], { signal: String(number) });
    signalContainer(state, number);
  };
  signal(parseSignal(record.stopSignal) ?? 15);
  resumeContainer(paths, record, state);
  // a negative time is for as long as it takes
  const patience = seconds < 0 ? Number.POSITIVE_INFINITY : seconds;
  let lock = patience > 0 ? await waitForEnd(paths, state, patience) : undefined;
  if (lock === undefined) {
    signal(9);
    lock = await waitForEnd(paths, state, 10);
  }
  if (lock !== undefined) return lock;
  throw new EngineError(`cannot stop container ${record.name}: its processes do not end`, 1);
}

/** The classic tools tell a container that was stopped from one that ended by itself. */
function recordStop(paths: Paths, record: ContainerRecord, running: State): void {
  const left = readState(paths, record);
  const ended = left && isUp(left) ? undefined : left;
  // nobody saw the end of a run whose monitor was killed
  if (!ended) clearRemains(paths, record.id, record.name);
  const last = ended ?? { ...running, exitCode: 137, finishedAt: new Date().toISOString() };
  mkdirIfMissing(paths.runFolder(record.name), 0o700);
  writeFileAtomic(paths.state(record.name), JSON.stringify({ ...last, status: "stopped" }), false);
}
