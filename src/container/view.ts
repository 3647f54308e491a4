import { EngineError } from "../linux/errors.ts";
import { close, O, open } from "../linux/file.ts";
import { isRunning } from "./liveness.ts";
import { holdLayer, openMerged } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { readState, waitForLock } from "./store.ts";

/** A container's files while nobody can remove them. */
export interface View {
  /** Its own layer, in overlayfs's form. */
  upper(): number;
  /** Its root file system, as its processes see it. */
  merged(): number;
}

/**
 * Does `use` with the files of a container, running or not; what it opens is closed afterwards. One that runs may end
 * meanwhile, but its files stay; one that does not can neither be started nor removed. `what` is for the error.
 */
export async function withView<T>(
  paths: Paths,
  record: ContainerRecord,
  what: string,
  use: (view: View) => T | Promise<T>,
): Promise<T> {
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    const upper = (): number => keep(open(paths.upper(record.id), O.RDONLY | O.DIRECTORY));
    const merged = viewOfRunning(paths, record, keep);
    if (merged !== undefined) return await use({ upper, merged: () => merged });
    const lock = await waitForLock(paths, record.id, 10);
    if (lock === undefined)
      throw new EngineError(`cannot ${what} container ${record.name}: another command is busy with it`, 1);
    keep(lock);
    return await use({ upper, merged: () => keep(openMerged(paths, record.id, record.layers)) });
  } finally {
    for (const fd of opened.reverse()) close(fd);
  }
}

/** The merged view of a container that runs, and whose layer stays; undefined where it does not run. */
function viewOfRunning(
  paths: Paths,
  record: ContainerRecord,
  keep: (fd: number) => number,
): number | undefined {
  const state = readState(paths, record);
  if (!isRunning(state)) return undefined;
  const layer = holdLayer(paths, record.id);
  const merged = open(paths.merged(record.id), O.RDONLY | O.DIRECTORY);
  // mounted when it was opened only if it still runs now
  if (isRunning(state)) {
    keep(layer);
    return keep(merged);
  }
  for (const fd of [merged, layer]) close(fd);
  return undefined;
}
