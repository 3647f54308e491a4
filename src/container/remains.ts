import { unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { groupFolders } from "../runtime/cgroup/group.ts";
import { cgroupLayout } from "../runtime/cgroup/layout.ts";
import { killMembers, removeGroup } from "../runtime/cgroup/remove.ts";
import { unmountOverlay } from "./overlay.ts";
import { cgroupsPathOf, type Paths } from "./paths.ts";

/** Kills all that runs in a container's group: also where nothing is known of it any more but its id. */
export function killGroup(id: string): void {
  const [folder] = groupFolders(cgroupLayout(), cgroupsPathOf(id));
  if (folder !== undefined) killMembers(folder);
}

/**
 * Removes what a run whose monitor was killed has left: its processes with their groups, its mount, half-written states.
 * Next to nothing to do behind a monitor that was not. The caller holds the container's lock. `patience` in seconds.
 */
export function clearRemains(paths: Paths, id: string, name: string | undefined, patience?: number): void {
  unmountOverlay(paths, id);
  removeGroup(groupFolders(cgroupLayout(), cgroupsPathOf(id)), patience);
  if (name === undefined) return;
  for (const entry of listFolder(paths.runFolder(name)))
    if (entry.name.startsWith(".config.json.")) unlinkIfAny(`${paths.runFolder(name)}/${entry.name}`);
}
