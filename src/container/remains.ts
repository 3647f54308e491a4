import { unlinkIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { groupFolders } from "../runtime/cgroup/group.ts";
import { cgroupLayout } from "../runtime/cgroup/layout.ts";
import { removeGroup } from "../runtime/cgroup/remove.ts";
import { unmountOverlay } from "./overlay.ts";
import { cgroupsPathOf, type Paths } from "./paths.ts";

/** One of the folders of a container's group, which all of its processes are in; they are found so by its id alone. */
export function groupFolderOf(id: string): string {
  return groupFolders(cgroupLayout(), cgroupsPathOf(id))[0] ?? "";
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
