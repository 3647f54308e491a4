import { SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, readlinkIfAny, unlinkIfAny } from "../linux/file.ts";
import { listFolder, removeTree } from "../linux/folder.ts";
import { exists } from "../linux/stat.ts";
import { killGroup } from "../runtime/cgroup/control.ts";
import { MESSAGE } from "../runtime/wire.ts";
import type { AttachEnd } from "./attach.ts";
import { groupOf } from "./group.ts";
import { releaseIds } from "./idmap.ts";
import { recordEvents } from "./journal.ts";
import { isRunning } from "./liveness.ts";
import { removeLayer } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import { type ContainerRecord, readJson } from "./record.ts";
import { clearRemains } from "./remains.ts";
import type { Running } from "./start.ts";
import {
  findId,
  isStarted,
  listIds,
  NoSuchContainer,
  readState,
  recordIfAny,
  tryLock,
  waitForLock,
} from "./store.ts";
import { anonymousOf, keepVolumes, ownVolumes, removeIfUnused } from "./volumes.ts";

/**
 * Removes all that belongs to a container; the caller holds its lock. The record goes first: from then on it is no
 * container but garbage, which can be removed again from the start by anyone who gets the lock. The name goes last.
 * `patience` is how long, in seconds, what was left running in its group may take to die.
 */
export function dispose(paths: Paths, id: string, patience?: number, volumes = false): void {
  const names = namesOf(paths, id);
  const record = recordIfAny(paths, id);
  // one that goes with its program, or was never finished, takes its own volumes along
  if (!volumes && !record?.autoRemove && exists(paths.record(id))) keepVolumes(paths, id);
  if (unlinkIfAny(paths.record(id)) && record) recordEvents(paths, record, ["destroy"]);
  clearRemains(paths, id, undefined, patience, record === undefined);
  removeLayer(paths, id);
  removeIfUnused(paths, ownVolumes(paths, id));
  for (const name of names) {
    removeTree(paths.runFolder(name));
    unlinkIfAny(paths.name(name));
  }
  releaseIds(paths, id);
  removeTree(paths.container(id));
}

/** The names that point to an id: the record's, or where that is gone or damaged, whatever links there. */
function namesOf(paths: Paths, id: string): string[] {
  const recorded = recordIfAny(paths, id)?.name;
  const candidates = recorded === undefined ? listFolder(paths.names).map((entry) => entry.name) : [recorded];
  return candidates.filter((name) => readlinkIfAny(paths.name(name)) === id);
}

/**
 * Removes a container by id, name or prefix: a stopped one, or with `force` a running one after killing it; with `volumes`
 * also those that nobody has named and nobody else has.
 */
export async function removeContainer(
  paths: Paths,
  reference: string,
  { force, volumes }: { readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  const id = findId(paths, reference);
  if (!force) refuseRunning(paths, id);
  try {
    const lock = tryLock(paths, id) ?? (await lockForRemoval(paths, id, force));
    try {
      dispose(paths, id, undefined, volumes);
    } finally {
      close(lock);
    }
  } catch (error) {
    // it was there, and somebody else has removed it: its monitor, where it goes with its program
    if (!(error instanceof NoSuchContainer)) throw error;
  }
}

/**
 * The end of a run that this client was attached to. A container that goes with its program is taken out of the records, so
 * that its name is free and nobody sees it any more; its monitor, who still holds the lock, removes the rest when nobody
 * waits. Where the monitor was killed (`lost`), its part is ours.
 */
export async function settleEnd(paths: Paths, { container, shim }: Running, end: AttachEnd): Promise<void> {
  const { id, name, autoRemove } = container.record;
  if (end.lost) return settleLost(paths, id, autoRemove);
  if (!end.goes) return;
  if (unlinkIfAny(paths.record(id))) recordEvents(paths, container.record, ["destroy"]);
  // a client that was kept from its work may find the name in other hands
  if (readlinkIfAny(paths.name(name)) === id) {
    removeTree(paths.runFolder(name));
    unlinkIfAny(paths.name(name));
  }
  // who waits for the end expects them gone
  removeIfUnused(paths, anonymousOf(container.record));
  shim.tell(shim.control, MESSAGE.done);
}

async function settleLost(paths: Paths, id: string, autoRemove: boolean): Promise<void> {
  try {
    const lock = await lockForRemoval(paths, id, true);
    if (autoRemove) dispose(paths, id);
    else clearRemains(paths, id, undefined);
    close(lock);
  } catch (error) {
    if (!(error instanceof NoSuchContainer)) throw error;
  }
}

function refuseRunning(paths: Paths, id: string): void {
  const record = recordIfAny(paths, id);
  const state = record && readState(paths, record);
  if (!isRunning(state)) return;
  const remedy = state.status === "paused" ? "paused; unpause and stop it first" : "running; stop it first";
  throw new EngineError(`cannot remove container ${state.name}: it is ${remedy} or use 'rm -f'`, 1);
}

/** Kills the container's processes again and again: one may be about to be started. */
async function lockForRemoval(paths: Paths, id: string, force: boolean): Promise<number> {
  const group = force ? groupOf(paths, id).place : undefined;
  const kill = (): boolean => {
    if (group) killGroup(group);
    return false;
  };
  kill();
  const lock = await waitForLock(paths, id, 10, kill);
  if (lock !== undefined) return lock;
  throw new EngineError(
    `cannot remove container ${recordIfAny(paths, id)?.name ?? id}: another command is busy with it, or its processes do not end`,
    1,
  );
}

/** Garbage can wait; who asked for something else cannot. */
const GARBAGE_PATIENCE = 1;

/**
 * Removes what creations and removals that were killed half-way have left: folders without a record whose lock
 * nobody holds, and containers that should have gone with their program. Never touches another container.
 */
export function collectGarbage(paths: Paths): void {
  for (const id of listIds(paths)) {
    if (!isGarbage(paths, id)) continue;
    try {
      const lock = tryLock(paths, id);
      if (lock === undefined) continue;
      // between the look and the lock its creator may have finished
      try {
        if (isGarbage(paths, id)) dispose(paths, id, GARBAGE_PATIENCE);
      } finally {
        close(lock);
      }
    } catch (error) {
      // somebody else was faster, or a process of it does not die yet, or the disk is damaged: it is not what was asked for,
      // and the next one who collects has another try
      if (!(error instanceof SysError) && !(error instanceof EngineError)) throw error;
    }
  }
}

/** Whether a folder is one of those, provided that nobody holds its lock. A damaged record is somebody's, not garbage. */
function isGarbage(paths: Paths, id: string): boolean {
  try {
    const record = readJson<ContainerRecord>(paths.record(id));
    if (record === undefined) return true;
    return record.autoRemove && isStarted(paths, id) && !isRunning(readState(paths, record));
  } catch {
    return false;
  }
}
