import { EngineError } from "../../linux/errors.ts";
import { killGroup } from "./control.ts";
import { ownParents, removeFolder, tidyParents } from "./folders.ts";
import type { CgroupGroup } from "./group.ts";
import { type CgroupLayout, foldersOf, type GroupPlace, placeOf } from "./layout.ts";

/** A killed process leaves its group only when the kernel has taken it down: with much memory, not at once. */
const PATIENCE_SECONDS = 10;

/**
 * Removes a group, with the groups below it, and ours above it where it was the last one there. What still runs in it is
 * killed; throws where that does not end within `seconds`. The caller is the only one that starts processes there.
 * (cgroups(7), "Removing cgroups".)
 */
export function removeGroup(place: GroupPlace, cgroupsPath: string, seconds = PATIENCE_SECONDS): void {
  const end = performance.now() + seconds * 1000;
  const folders = foldersOf(place);
  for (const folder of folders) {
    for (let pause = 0.2; !removeFolder(folder); pause = Math.min(pause * 2, 20)) {
      killGroup(place);
      if (performance.now() > end)
        throw new EngineError(`cannot remove cgroup ${folder}: processes in it do not end`, 1);
      Bun.sleepSync(pause);
    }
  }
  tidyParents(ownParents(folders, cgroupsPath));
}

/** Removes what there is of a group that was to be made, with those above it that were made for it. */
export function removeMade(
  layout: CgroupLayout,
  { cgroupsPath, parents }: Pick<CgroupGroup, "cgroupsPath" | "parents">,
): void {
  removeGroup(placeOf(layout, cgroupsPath), cgroupsPath);
  tidyParents(parents);
}
