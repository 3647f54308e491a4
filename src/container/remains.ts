import { unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { statIfAny } from "../linux/stat.ts";
import { removeGroup } from "../runtime/cgroup/remove.ts";
import { groupOf } from "./group.ts";
import { releaseNetwork } from "./network.ts";
import { unmountOverlay } from "./overlay.ts";
import type { Paths } from "./paths.ts";

/**
 * Removes what a run whose monitor was killed has left: its processes with their groups, its mount, half-written states.
 * Next to nothing to do behind a monitor that was not. The caller holds the container's lock. `patience` in seconds.
 * `halfMade`: it may have been killed before it had written down what it has.
 */
export function clearRemains(
  paths: Paths,
  id: string,
  name: string | undefined,
  patience?: number,
  halfMade = false,
): void {
  unmountOverlay(paths, id);
  const { place, cgroupsPath } = groupOf(paths, id);
  removeGroup(place, cgroupsPath, patience);
  // so may somebody who was connecting it
  releaseNetwork(paths, id, halfMade || (statIfAny(paths.changing(id))?.size ?? 0) > 0);
  if (name === undefined) return;
  for (const entry of listFolder(paths.runFolder(name)))
    if (entry.name.startsWith(".config.json.")) unlinkIfAny(`${paths.runFolder(name)}/${entry.name}`);
}
