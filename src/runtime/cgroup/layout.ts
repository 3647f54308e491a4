import { EngineError } from "../../linux/errors.ts";
import { readText } from "../../linux/file.ts";
import { unescapePath } from "../../linux/mountinfo.ts";

/** A mounted cgroup v1 hierarchy, or a group in one: its folder, and the controllers that share it. */
export interface Hierarchy {
  readonly path: string;
  readonly controllers: readonly string[];
}

/**
 * How this host's cgroups are mounted. Version 1 is also the hybrid layout, whose v2 tree has no controllers (or those
 * that v1 has not): processes are killed and frozen there. Version 2 has nothing else.
 */
export interface CgroupLayout {
  readonly version: 1 | 2;
  readonly hierarchies: readonly Hierarchy[];
  /** Where the v2 tree is mounted. */
  readonly unified: string | undefined;
}

/** The folders of one group: that in the v2 tree, and one for each v1 hierarchy. They need not exist. */
export interface GroupPlace {
  readonly unified: string | undefined;
  readonly hierarchies: readonly Hierarchy[];
}

/** The v1 controllers that a container gets a group in. */
const CONTROLLERS = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];

/** One line of mountinfo that is of a cgroup tree. */
interface Mounted extends Hierarchy {
  readonly v2: boolean;
  readonly writable: boolean;
}

/** Reads the layout out of the text of /proc/self/mountinfo (proc(5), cgroups(7)); undefined where none is mounted. */
export function parseLayout(mountinfo: string): CgroupLayout | undefined {
  const mounts: Mounted[] = [];
  const lines = mountinfo.trimEnd().split("\n");
  const points: string[] = [];
  for (const line of lines) points.push(line.split(" ", 5)[4] ?? "");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line.includes(" - cgroup") && !isCovered(points, at)) mounts.push(parseMount(line));
  }
  const hierarchies: Hierarchy[] = [];
  // one that is mounted twice counts once: where it can be written to, else at its first place
  const places = [
    ...mounts.filter(({ writable }) => writable),
    ...mounts.filter(({ writable }) => !writable),
  ];
  for (const { v2, path, controllers } of places) {
    const known = hierarchies.some((one) => one.controllers.join() === controllers.join());
    if (!v2 && controllers.length > 0 && !known) hierarchies.push({ path, controllers });
  }
  const tree = places.find(({ v2 }) => v2);
  if (hierarchies.length > 0)
    return { version: 1, hierarchies, unified: tree?.writable ? tree.path : undefined };
  return tree && { version: 2, hierarchies: [], unified: tree.path };
}

/** Whether something was mounted later on a mount's own place, or on a folder above it. */
function isCovered(points: readonly string[], at: number): boolean {
  const own = points[at] ?? "";
  for (let later = at + 1; later < points.length; later++) {
    const point = points[later] ?? "";
    if (own.startsWith(point) && (own.length === point.length || own[point.length] === "/")) return true;
  }
  return false;
}

function parseMount(line: string): Mounted {
  const [, , , , path = "", how = ""] = line.split(" ");
  const [type, , options = ""] = line.slice(line.indexOf(" - cgroup") + 3).split(" ");
  const all = options.split(",");
  return {
    v2: type === "cgroup2",
    path: unescapePath(path),
    controllers: type === "cgroup" ? all.filter((option) => CONTROLLERS.includes(option)) : [],
    writable: !how.split(",").includes("ro") && !all.includes("ro"),
  };
}

/** The layout of this host. */
export function cgroupLayout(): CgroupLayout {
  const layout = parseLayout(readText("/proc/self/mountinfo"));
  if (layout) return layout;
  throw new EngineError("no cgroups are mounted on this host: mount cgroup2 on /sys/fs/cgroup");
}

/** Where a group lies on this host. `cgroupsPath` is the OCI spec's, from the root of each tree. */
export function placeOf(layout: CgroupLayout, cgroupsPath: string): GroupPlace {
  return {
    unified: layout.unified === undefined ? undefined : layout.unified + cgroupsPath,
    hierarchies: layout.hierarchies.map(({ path, controllers }) => ({
      path: path + cgroupsPath,
      controllers,
    })),
  };
}

/** The folder of a place that every process of the group is in. */
export function wholeFolder(place: GroupPlace): string {
  return foldersOf(place)[0] ?? "/nowhere";
}

/** All folders of a place, that in the v2 tree first. */
export function foldersOf({ unified, hierarchies }: GroupPlace): string[] {
  const folders = hierarchies.map(({ path }) => path);
  return unified === undefined ? folders : [unified, ...folders];
}

/** The folder with a controller's files (by its v1 name), and whether they are v1's or v2's. */
export function folderWith(
  { unified, hierarchies }: GroupPlace,
  controller: string,
): { readonly version: 1 | 2; readonly folder: string } {
  const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(controller));
  return hierarchy ? { version: 1, folder: hierarchy.path } : { version: 2, folder: unified ?? "/nowhere" };
}
