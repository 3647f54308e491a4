import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, lock, O, open, pwrite, truncate } from "../linux/file.ts";
import { fstat, statIfAny } from "../linux/stat.ts";
import { isFrozen } from "../runtime/cgroup/control.ts";
import { settleEndpoints } from "./endpoints.ts";
import { groupOf } from "./group.ts";
import { isRunning } from "./liveness.ts";
import { markPaused } from "./mark.ts";
import type { Paths } from "./paths.ts";
import { setLimits } from "./set-limits.ts";
import { NoSuchContainer, readContainer, readState } from "./store.ts";

/**
 * Does `work` while nobody else pauses, resumes or updates the container: its monitor holds the lock on its folder for as
 * long as it runs, so that these have one of their own. What is written down and what the kernel holds cannot change at
 * once: the file of the lock is not empty meanwhile, and who finds it so puts right what somebody who was killed has left.
 */
export function withChange<T>(paths: Paths, id: string, work: () => T): T {
  const fd = openChanging(paths, id);
  try {
    lock(fd, true);
    if (fstat(fd).size > 0) putRight(paths, id);
    pwrite(fd, BEGUN, 0);
    try {
      return work();
    } finally {
      // the container may be gone by now, and the file with it
      truncate(fd, 0);
    }
  } finally {
    close(fd);
  }
}

const BEGUN = new TextEncoder().encode("begun\n");

function openChanging(paths: Paths, id: string): number {
  try {
    return open(paths.changing(id), O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  } catch (error) {
    throw isErrno(error, "ENOENT") ? new NoSuchContainer(id) : error;
  }
}

/** Puts right what a change that did not come to its end has left, where there is any. */
export function settleChange(paths: Paths, id: string): void {
  if ((statIfAny(paths.changing(id))?.size ?? 0) > 0) withChange(paths, id, () => {});
}

/** The limits are those of the record; whether it is paused, the kernel knows. */
function putRight(paths: Paths, id: string): void {
  const container = readContainer(paths, id);
  const { record } = container;
  const state = readState(paths, record);
  const running = isRunning(state);
  try {
    setLimits(paths, container, record.limits, running);
    if (running) settleEndpoints(paths, record, state);
  } catch (error) {
    // what the kernel does not take now is told by who asks for it next
    if (!(error instanceof EngineError)) throw error;
  }
  if (running) markPaused(paths, record, isFrozen(groupOf(paths, id).place));
}
