import { mkdirAll, readTextIfAny, writeFileAtomic } from "../linux/file.ts";
import { bootId } from "../linux/process.ts";
import type { Store } from "./install.ts";
import { isLocked } from "./locks.ts";
import { changeAndSweep } from "./remove.ts";

/**
 * What lies in the store without being reached was perhaps never written out before the machine lost power; within one boot it
 * is whole, by the locks and renames with which it came there. So before anything is taken from the store for the first time
 * after a boot, all of that goes.
 */
export function sweepOnceABoot({ root, run, inUse }: Store): void {
  // several stores may share a folder for what is gone after a boot
  const mark = `${run}/.locks/swept-${Bun.hash(root).toString(16)}`;
  if (readTextIfAny(mark) === bootId()) return;
  changeAndSweep(root, run, inUse, () => {});
  mkdirAll(`${run}/.locks`, 0o700);
  writeFileAtomic(mark, bootId(), false);
}

/** Removes what pulls that were broken off have left, and nobody has gone on with for a day; another time where images are in use now. */
export function sweepOld({ root, run, inUse }: Store): void {
  if (!isLocked(run, "images")) changeAndSweep(root, run, inUse, () => {}, "old");
}
