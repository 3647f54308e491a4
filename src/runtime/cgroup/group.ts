import { isErrno } from "../../linux/errno.ts";
import { EngineError, undone } from "../../linux/errors.ts";
import { close, mkdir, O, open, readText, writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { requireCpus } from "./cpus.ts";
import { denyDevicesV1, filterDevicesV2 } from "./devices.ts";
import type { CgroupLayout } from "./layout.ts";
import { type Setting, settingsV1, settingsV2 } from "./limits.ts";
import { removeGroup } from "./remove.ts";

/** A container's place in the cgroup tree. */
export interface CgroupGroup {
  /** Its folders, one for each hierarchy on v1. */
  readonly folders: readonly string[];
  /** v1: the `tasks` files that the container's first process writes "0" to. */
  readonly joins: readonly string[];
  /** v2: the folder, open, for CLONE_INTO_CGROUP. The caller closes it. */
  readonly fd: number | undefined;
}

/** What one asks for with a flag of ours, for the message when the host cannot enforce it. */
const FLAG_OF: Record<string, string> = {
  memory: "memory limits",
  cpu: "CPU limits and shares",
  cpuset: "--cpuset-cpus and --cpuset-mems",
  pids: "--pids-limit",
  blkio: "rates of devices",
  io: "rates of devices",
};

/** The folders that a group of this path has on this host. `cgroupsPath` is the spec's, from the root of each tree. */
export function groupFolders(layout: CgroupLayout, cgroupsPath: string): string[] {
  const tops = layout.version === 2 ? [layout.path] : layout.hierarchies.map((hierarchy) => hierarchy.path);
  return tops.map((top) => top + cgroupsPath);
}

/**
 * Makes the group and sets its limits; what was made is removed again when something fails. A controller that a
 * limit needs and the host lacks is an error (cgroup-v1/*, cgroup-v2 of the kernel's admin guide).
 */
export function createGroup(layout: CgroupLayout, cgroupsPath: string, resources: Resources): CgroupGroup {
  const made: string[] = [];
  try {
    if (layout.version === 2) return createV2(layout.path, cgroupsPath, resources, made);
    return createV1(layout, cgroupsPath, resources, made);
  } catch (error) {
    throw undone(error, () => removeGroup(made));
  }
}

/** What a process that joins a running group needs: see CgroupGroup. */
export function openGroup(layout: CgroupLayout, cgroupsPath: string): CgroupGroup {
  const folders = groupFolders(layout, cgroupsPath);
  if (layout.version === 2) return { folders, joins: [], fd: open(folders[0] ?? "", O.PATH | O.DIRECTORY) };
  const joined = folders.filter((folder) => folderExists(folder));
  return { folders: joined, joins: joined.map((folder) => `${folder}/tasks`), fd: undefined };
}

function folderExists(folder: string): boolean {
  try {
    close(open(folder, O.PATH | O.DIRECTORY));
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function createV1(
  layout: CgroupLayout & { version: 1 },
  cgroupsPath: string,
  resources: Resources,
  made: string[],
): CgroupGroup {
  const settings = settingsV1(resources);
  const joins: string[] = [];
  for (const { path, controllers } of layout.hierarchies) {
    if (controllers.includes("cpuset")) checkCpuset(resources, `${path}/cpuset.effective_`);
    const mine = settings.filter((setting) => controllers.includes(setting.controller));
    // a cpuset group costs as much as all the others together, and is of use only with a setting
    if (controllers.join() === "cpuset" && mine.length === 0) continue;
    const folder = path + cgroupsPath;
    mkdir(folder);
    made.push(folder);
    if (controllers.includes("cpuset")) inheritCpuset(path, folder, mine);
    for (const setting of mine) apply(folder, setting);
    if (controllers.includes("devices")) denyDevicesV1(folder, resources.devices ?? []);
    joins.push(`${folder}/tasks`);
  }
  const present = layout.hierarchies.flatMap((hierarchy) => hierarchy.controllers);
  requireControllers(settings, present);
  return { folders: made, joins, fd: undefined };
}

/** The files that tell what is available lie at `before` + `cpus` or `mems` + `behind`. */
function checkCpuset({ cpu }: Resources, before: string, behind = ""): void {
  const available = (what: string): string => readText(`${before}${what}${behind}`).trim();
  if (cpu?.cpus !== undefined) requireCpus(cpu.cpus, available("cpus"));
  if (cpu?.mems !== undefined) requireCpus(cpu.mems, available("mems"), "memory nodes");
}

/** A new v1 cpuset group has no CPUs and no memory nodes, and cannot be joined before it has both. */
function inheritCpuset(parent: string, folder: string, settings: readonly Setting[]): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"])
    if (!settings.some((setting) => setting.file === file))
      writeInto(`${folder}/${file}`, readText(`${parent}/${file}`).trim());
}

function createV2(top: string, cgroupsPath: string, resources: Resources, made: string[]): CgroupGroup {
  const settings = settingsV2(resources);
  const present = enableControllers(top);
  requireControllers(settings, present);
  if (present.includes("cpuset")) checkCpuset(resources, `${top}/cpuset.`, ".effective");
  const folder = top + cgroupsPath;
  mkdir(folder);
  made.push(folder);
  for (const setting of settings) if (present.includes(setting.controller)) apply(folder, setting);
  const fd = open(folder, O.RDONLY | O.DIRECTORY);
  try {
    filterDevicesV2(fd, resources.devices ?? []);
  } catch (error) {
    close(fd);
    throw error;
  }
  return { folders: made, joins: [], fd };
}

/** Hands the controllers that are there down to the groups below `top`; returns their names. */
function enableControllers(top: string): string[] {
  const wanted = ["cpu", "cpuset", "io", "memory", "pids"];
  const present = readText(`${top}/cgroup.controllers`).trim().split(" ");
  const enabled = readText(`${top}/cgroup.subtree_control`).trim().split(" ");
  const missing = wanted.filter((name) => present.includes(name) && !enabled.includes(name));
  if (missing.length > 0)
    writeInto(`${top}/cgroup.subtree_control`, missing.map((name) => `+${name}`).join(" "));
  return present;
}

function requireControllers(settings: readonly Setting[], present: readonly string[]): void {
  const missing = settings.find(
    (setting) => !present.includes(setting.controller) && !setting.optional,
  )?.controller;
  if (missing === undefined) return;
  throw new EngineError(
    `cannot set ${FLAG_OF[missing] ?? missing}: this host has no ${missing} cgroup controller`,
  );
}

function apply(folder: string, setting: Setting): void {
  try {
    writeInto(`${folder}/${setting.file}`, setting.value);
  } catch (error) {
    if (setting.optional && isErrno(error, "ENOENT", "EOPNOTSUPP")) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError(`cannot set ${setting.file} to ${setting.value}: ${reason}`);
  }
}
