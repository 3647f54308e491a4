import { EngineError } from "../../linux/errors.ts";
import { readText } from "../../linux/file.ts";

/** A mounted cgroup v1 hierarchy: its folder, and the controllers that share it. */
export interface Hierarchy {
  readonly path: string;
  readonly controllers: readonly string[];
}

/** How this host's cgroups are mounted: v1 (also hybrid, whose v2 tree has no controllers) or pure v2. */
export type CgroupLayout =
  | { readonly version: 1; readonly hierarchies: readonly Hierarchy[] }
  | { readonly version: 2; readonly path: string; readonly hierarchies: readonly [] };

/** The v1 controllers that a container gets a group in. */
const CONTROLLERS = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];

/** Reads the layout out of the text of /proc/self/mountinfo (proc(5), cgroups(7)); undefined where none is mounted. */
export function parseLayout(mountinfo: string): CgroupLayout | undefined {
  const hierarchies: Hierarchy[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const split = line.indexOf(" - cgroup");
    if (split < 0) continue;
    const path = unescapePath(line.split(" ")[4] ?? "");
    const [type, , options = ""] = line.slice(split + 3).split(" ");
    if (type === "cgroup2") unified ??= path;
    const controllers = options.split(",").filter((option) => CONTROLLERS.includes(option));
    const known = hierarchies.some((one) => one.controllers.join() === controllers.join());
    if (type === "cgroup" && controllers.length > 0 && !known) hierarchies.push({ path, controllers });
  }
  if (hierarchies.length > 0) return { version: 1, hierarchies };
  return unified === undefined ? undefined : { version: 2, path: unified, hierarchies: [] };
}

/** The layout of this host. */
export function cgroupLayout(): CgroupLayout {
  const layout = parseLayout(readText("/proc/self/mountinfo"));
  if (layout) return layout;
  throw new EngineError("no cgroups are mounted on this host: mount cgroup2 on /sys/fs/cgroup");
}

/** proc(5): blanks, tabs, newlines and backslashes in mountinfo stand as octal escapes. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
