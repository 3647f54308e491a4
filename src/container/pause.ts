import { EngineError } from "../linux/errors.ts";
import { freezeGroup, isFrozen } from "../runtime/cgroup/control.ts";
import { withChange } from "./change.ts";
import { groupOf } from "./group.ts";
import { recordEvents } from "./journal.ts";
import { notRunning, runningContainer } from "./kill.ts";
import { isRunning } from "./liveness.ts";
import { markPaused } from "./mark.ts";
import type { Paths } from "./paths.ts";
import { resumeContainer } from "./resume.ts";
import { readState } from "./store.ts";

/** `pause`: stops every process of a running container where it is. */
export function pauseContainer(paths: Paths, reference: string): void {
  const { record } = runningContainer(paths, reference);
  withChange(paths, record.id, () => {
    const { place } = groupOf(paths, record.id);
    if (isFrozen(place)) {
      // also where somebody who paused it was killed before it was written down
      markPaused(paths, record, true);
      throw new EngineError(`container ${record.name} is already paused`, 1);
    }
    if (!isRunning(readState(paths, record))) throw notRunning(record);
    freezeGroup(place);
    markPaused(paths, record, true);
    recordEvents(paths, record, ["pause"]);
  });
}

/** `unpause`: lets them go on. */
export function unpauseContainer(paths: Paths, reference: string): void {
  const { record, state } = runningContainer(paths, reference);
  if (!resumeContainer(paths, record, state))
    throw new EngineError(`container ${record.name} is not paused`, 1);
}
