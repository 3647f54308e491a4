import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, readlinkIfAny, unlinkIfAny } from "../linux/file.ts";
import { listFolder, removeTree } from "../linux/folder.ts";
import { groupFolders } from "../runtime/cgroup/group.ts";
import { cgroupLayout } from "../runtime/cgroup/layout.ts";
import { removeGroup } from "../runtime/cgroup/remove.ts";
import { MESSAGE } from "../runtime/wire.ts";
import { signalContainer } from "./kill.ts";
import { isRunning } from "./liveness.ts";
import { removeOverlay } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import { type ContainerRecord, readJson } from "./record.ts";
import type { Running } from "./start.ts";
import { findId, listIds, readState, tryLock, waitForLock } from "./store.ts";

/**
 * Removes all that belongs to a container; the caller holds its lock. The record goes first: from then on it is no
 * container but garbage, which can be removed again from the start by anyone who gets the lock. The name goes last.
 * `patience` is how long, in seconds, what was left running in its group may take to die.
 */
export function dispose(paths: Paths, id: string, patience?: number): void {
  const names = namesOf(paths, id);
  unlinkIfAny(paths.record(id));
  removeGroup(groupFolders(cgroupLayout(), `/mydocker-${id}`), patience);
  removeOverlay(paths, id);
  for (const name of names) {
    removeTree(paths.runFolder(name));
    unlinkIfAny(paths.name(name));
  }
  removeTree(paths.container(id));
}

/** The names that point to an id: the record's, or where that is gone or damaged, whatever links there. */
function namesOf(paths: Paths, id: string): string[] {
  let recorded: string | undefined;
  try {
    recorded = readJson<ContainerRecord>(paths.record(id))?.name;
  } catch {
    recorded = undefined;
  }
  const candidates = recorded === undefined ? listFolder(paths.names).map((entry) => entry.name) : [recorded];
  return candidates.filter((name) => readlinkIfAny(paths.name(name)) === id);
}

/** Removes a container by id, name or prefix: a stopped one, or with `force` a running one after killing it. */
export async function removeContainer(paths: Paths, reference: string, force: boolean): Promise<void> {
  const id = findId(paths, reference);
  const lock = tryLock(paths, id) ?? (await lockForRemoval(paths, id, force));
  try {
    dispose(paths, id);
  } finally {
    close(lock);
  }
}

/**
 * The end of a container that goes with its program: takes it out of the records, so that its name is free and nobody
 * sees it any more. Its monitor, who still holds the lock, removes the rest when nobody waits.
 */
export function removeEnded(paths: Paths, { container, shim }: Running): void {
  const { id, name } = container.record;
  unlinkIfAny(paths.record(id));
  removeTree(paths.runFolder(name));
  unlinkIfAny(paths.name(name));
  shim.tell(shim.control, MESSAGE.done);
}

async function lockForRemoval(paths: Paths, id: string, force: boolean): Promise<number> {
  const name = recordedName(paths, id);
  const state = name === undefined ? undefined : readState(paths, name);
  if (!force && isRunning(state))
    throw new EngineError(`cannot remove container ${name}: it is running; stop it first or use 'rm -f'`, 1);
  if (force) signalContainer(state, 9);
  const lock = await waitForLock(paths, id, 10);
  if (lock !== undefined) return lock;
  throw new EngineError(
    `cannot remove container ${name ?? id}: another command is busy with it, or its processes do not end`,
    1,
  );
}

function recordedName(paths: Paths, id: string): string | undefined {
  try {
    return readJson<ContainerRecord>(paths.record(id))?.name;
  } catch {
    return undefined;
  }
}

/** Garbage can wait; who asked for something else cannot. */
const GARBAGE_PATIENCE = 1;

/**
 * Removes what creations and removals that were killed half-way have left: folders without a record whose lock
 * nobody holds. Never touches a container.
 */
export function collectGarbage(paths: Paths): void {
  for (const id of listIds(paths)) {
    if (readJsonSafely(paths, id)) continue;
    try {
      const lock = tryLock(paths, id);
      if (lock === undefined) continue;
      // between the look and the lock its creator may have finished
      try {
        if (!readJsonSafely(paths, id)) dispose(paths, id, GARBAGE_PATIENCE);
      } finally {
        close(lock);
      }
    } catch (error) {
      // somebody else was faster, or a process of it does not die yet: the next one who collects has another try
      if (!isErrno(error, "ENOENT") && !(error instanceof EngineError)) throw error;
    }
  }
}

/** Whether there is a record, be it damaged. */
function readJsonSafely(paths: Paths, id: string): boolean {
  try {
    return readJson(paths.record(id)) !== undefined;
  } catch {
    return true;
  }
}
