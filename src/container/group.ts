import { readTextIfAny } from "../linux/file.ts";
import { cgroupsPathOf } from "../runtime/cgroup/folders.ts";
import { cgroupLayout, type GroupPlace, placeOf } from "../runtime/cgroup/layout.ts";
import type { Paths } from "./paths.ts";

/** Where the group of a container is: its path from the root of each tree, and its folders on this host. */
export interface ContainerGroup {
  readonly cgroupsPath: string;
  readonly place: GroupPlace;
}

/** The group of a container, be it half-made or half-removed. It need not be there. Who asks for many gives the layout. */
export function groupOf(paths: Paths, id: string, layout = cgroupLayout()): ContainerGroup {
  const cgroupsPath = cgroupsPathOf(id, readTextIfAny(paths.cgroupParent(id)));
  return { cgroupsPath, place: placeOf(layout, cgroupsPath) };
}
