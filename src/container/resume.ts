import { isFrozen, thawGroup } from "../runtime/cgroup/control.ts";
import { withChange } from "./change.ts";
import { groupOf } from "./group.ts";
import { recordEvents } from "./journal.ts";
import { markPaused } from "./mark.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";

/** Lets the processes of a container go on where they are paused; false where they are not. */
export function resumeContainer(paths: Paths, record: ContainerRecord, state: State): boolean {
  const { place } = groupOf(paths, record.id);
  if (state.status !== "paused" && !isFrozen(place)) return false;
  return withChange(paths, record.id, () => {
    const frozen = isFrozen(place);
    thawGroup(place);
    markPaused(paths, record, false);
    if (frozen) recordEvents(paths, record, ["unpause"]);
    return frozen;
  });
}
