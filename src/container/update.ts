import { EngineError, undone } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { cgroupLayout } from "../runtime/cgroup/layout.ts";
import { updateGroup } from "../runtime/cgroup/update.ts";
import { withChange } from "./change.ts";
import { groupOf } from "./group.ts";
import { recordEvents } from "./journal.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import { type Container, type Limits, type State, writeContainer } from "./record.ts";
import { resourcesOf } from "./resources.ts";
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
  for (let again = false; ; again = true) {
    // held while it is written down, it cannot be started with the old limits meanwhile
    const lock = await waitForLock(paths, id, 10, () => running() !== undefined);
    const run = lock === undefined ? running() : undefined;
    try {
      if (lock === undefined && !run) throw busy(reference);
      withChange(paths, id, () =>
        changeHeld(paths, readContainer(paths, id), again ? (present) => present : change, run !== undefined),
      );
    } finally {
      if (lock !== undefined) close(lock);
    }
    // who restarted it meanwhile may have read the limits before they were changed
    const now = run && running();
    if (!run || (now?.pid === run.pid && now.startTime === run.startTime)) break;
  }
  recordEvents(paths, readRecord(paths, id), ["update"]);
}

function busy(reference: string): EngineError {
  return new EngineError(`cannot update container ${reference}: another command is busy with it`, 1);
}

function changeHeld(
  paths: Paths,
  present: Container,
  change: (present: Limits) => Limits,
  running: boolean,
): void {
  const { record, spec } = present;
  const limits = change(record.limits);
  const resources = resourcesOf(limits);
  const changed = { record: { ...record, limits }, spec: { ...spec, linux: { ...spec.linux, resources } } };
  writeContainer(paths, changed);
  try {
    const { cgroupsPath } = groupOf(paths, record.id);
    if (running) updateGroup(cgroupLayout(), cgroupsPath, spec.linux.resources, resources);
  } catch (error) {
    throw undone(error, () => writeContainer(paths, present));
  }
}
