import { EngineError } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { withChange } from "./change.ts";
import { recordEvents } from "./journal.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { Limits, State } from "./record.ts";
import { setLimits } from "./set-limits.ts";
import { findId, readContainer, readRecord, readState, waitForLock } from "./store.ts";

/**
 * `update`: other limits for a container, at once where it runs. `change` makes the new limits from the present ones, and
 * throws where they do not fit. What the kernel refuses leaves everything as it was.
 */
export async function updateContainer(
  paths: Paths,
  reference: string,
  change: (present: Limits) => Limits,
): Promise<void> {
  const id = findId(paths, reference);
  const running = (): State | undefined => {
    const state = readState(paths, readRecord(paths, id));
    return isRunning(state) ? state : undefined;
  };
  const isOver = (run: State): boolean => {
    const now = running();
    return now?.pid !== run.pid || now.startTime !== run.startTime;
  };
  const end = performance.now() + PATIENCE_SECONDS * 1000;
  for (let written = false; ; ) {
    // held while it is written down, it cannot be started with the old limits meanwhile
    const lock = await waitForLock(paths, id, PATIENCE_SECONDS, () => running() !== undefined);
    const run = lock === undefined ? running() : undefined;
    try {
      if (lock !== undefined || run) {
        withChange(paths, id, () => {
          const present = readContainer(paths, id);
          const { limits } = present.record;
          // those of another update may have come on top of ours by now
          setLimits(paths, present, written ? limits : change(limits), run !== undefined);
        });
        written = true;
        // who restarted it meanwhile may have read the limits before they were changed
        if (!run || !isOver(run)) break;
      }
    } catch (error) {
      // that of a run which ended meanwhile is no answer
      if (!run || !isOver(run)) throw error;
    } finally {
      if (lock !== undefined) close(lock);
    }
    if (performance.now() > end) throw busy(reference);
  }
  recordEvents(paths, readRecord(paths, id), ["update"]);
}

/** How long other commands may be busy with the container. */
const PATIENCE_SECONDS = 10;

function busy(reference: string): EngineError {
  return new EngineError(`cannot update container ${reference}: another command is busy with it`, 1);
}
