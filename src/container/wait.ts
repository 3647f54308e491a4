import { close } from "../linux/file.ts";
import { openPidfd } from "../linux/process.ts";
import { readable } from "../linux/socket.ts";
import type { Event } from "./journal.ts";
import { JsonLines } from "./lines.ts";
import { isRunning, isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { State } from "./record.ts";
import { findId, NoSuchContainer, presentState, readRecord, recordIfAny, waitForEnd } from "./store.ts";

/**
 * `wait`: until a container does not run; returns its exit code. One that does not run now is not waited for. Of one that goes
 * with its program the journal knows the code.
 */
export async function waitForContainer(paths: Paths, reference: string): Promise<number> {
  const record = readRecord(paths, findId(paths, reference));
  const state = presentState(paths, record);
  // its program may be dead already, and its monitor yet to write down how it ended
  if (!isUp(state)) return state.exitCode;
  untilDead(state);
  try {
    // its monitor writes down how it ended, and lets go of the lock then
    const lock = await waitForEnd(paths, state, 10);
    if (lock !== undefined) close(lock);
  } catch (error) {
    if (!(error instanceof NoSuchContainer)) throw error;
  }
  const left = recordIfAny(paths, record.id);
  const code = left ? presentState(paths, left).exitCode : lastExitCode(paths, record.id);
  return code ?? 137;
}

/** Sleeps until the first process is gone: a pidfd can be read then (pidfd_open(2)). */
function untilDead(state: State): void {
  const pidfd = openPidfd(Number(state.pid));
  if (pidfd === undefined) return;
  try {
    while (isRunning(state) && !readable(pidfd, -1));
  } finally {
    close(pidfd);
  }
}

function lastExitCode(paths: Paths, id: string): number | undefined {
  let code: number | undefined;
  for (const path of [paths.olderEvents, paths.events]) {
    const lines = JsonLines.open<Event>(path);
    lines?.drain((event) => {
      if (event.id === id && event.action === "die") code = event.exitCode;
    });
    lines?.close();
  }
  return code;
}
