import { isErrno } from "../../linux/errno.ts";
import { EngineError, undone } from "../../linux/errors.ts";
import { close, O, open, readText, writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { requireCpus } from "./cpus.ts";
import { denyDevicesV1, filterDevicesV2 } from "./devices.ts";
import { isBelowOwn, makeGroupFolder } from "./folders.ts";
import { type CgroupLayout, foldersOf, type GroupPlace } from "./layout.ts";
import { nameInV2, type Setting, settingsV1, settingsV2 } from "./limits.ts";
import { removeMade } from "./remove.ts";
import { controllersForV2, enableControllers } from "./subtree.ts";

/** A container's place in the cgroup trees, as far as it is made. */
export interface CgroupGroup {
  /** Its path from the root of each tree. */
  readonly cgroupsPath: string;
  /** Its folders: that in the v2 tree, then one for each hierarchy on v1. */
  readonly folders: string[];
  /** The groups above it that had to be made. */
  readonly parents: string[];
  /** The controllers that are used in the v2 tree, by their names there. */
  readonly controllers: readonly string[];
  /** v1: the `tasks` files that the container's first process writes "0" to. */
  readonly joins: string[];
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

/**
 * The first half of making a group: its folder in the v2 tree, in which the container's first process is born. On a pure
 * v2 host all limits are set there; a limit whose controller the host lacks is an error. (cgroup-v2 of the kernel's
 * admin guide.) Undefined where only v1 is mounted. What was made is removed again when something fails.
 */
export function createGroup(layout: CgroupLayout, cgroupsPath: string, resources: Resources): CgroupGroup {
  const top = layout.unified;
  const group = { cgroupsPath, folders: [], parents: [], joins: [], fd: undefined };
  if (top === undefined) return { ...group, controllers: [] };
  let fd: number | undefined;
  try {
    const wanted = controllersForV2(layout);
    let controllers: string[] = [];
    const prepare = (parent: string): void => {
      controllers = enableControllers(parent, top, wanted);
    };
    const parent = cgroupsPath.slice(0, cgroupsPath.lastIndexOf("/"));
    const folder = makeGroupFolder(top, cgroupsPath, group, prepare);
    const settings = settingsV2(partFor(layout, resources, controllers));
    if (layout.version === 2) requireControllers(settings, controllers);
    if (controllers.includes("cpuset")) checkCpuset(resources, `${top}${parent}/cpuset.`, ".effective");
    for (const setting of settings) if (controllers.includes(setting.controller)) apply(folder, setting);
    fd = open(folder, O.RDONLY | O.DIRECTORY);
    const elsewhere = layout.hierarchies.some((one) => one.controllers.includes("devices"));
    if (!elsewhere) filterDevicesV2(fd, resources.devices ?? []);
    return { ...group, controllers, fd };
  } catch (error) {
    if (fd !== undefined) close(fd);
    throw undone(error, () => removeMade(group));
  }
}

/** What of the resources is for the v2 tree: all, or on a mixed host what its controllers there are for. */
function partFor({ version }: CgroupLayout, resources: Resources, controllers: readonly string[]): Resources {
  if (version === 2) return resources;
  const { memory, cpu, pids, blockIO } = resources;
  const has = (name: string): boolean => controllers.includes(name);
  return {
    ...(memory && has("memory") && { memory }),
    ...(cpu && (has("cpu") || has("cpuset")) && { cpu }),
    ...(pids && has("pids") && { pids }),
    ...(blockIO && has("io") && { blockIO }),
  };
}

/** The second half, for the v1 hierarchies: may be done while the process is being born (cgroup-v1/*). */
export function addHierarchies(layout: CgroupLayout, group: CgroupGroup, resources: Resources): void {
  if (layout.version === 2) return;
  const { cgroupsPath, controllers: elsewhere } = group;
  const settings = settingsV1(resources).filter(
    ({ controller }) => !elsewhere.includes(nameInV2(controller)),
  );
  const present = layout.hierarchies.flatMap(({ controllers }) => controllers);
  requireControllers(settings, present);
  for (const { path, controllers } of layout.hierarchies) {
    const ofCpuset = controllers.includes("cpuset");
    if (ofCpuset) checkCpuset(resources, `${path}/cpuset.effective_`);
    const mine = settings.filter((setting) => controllers.includes(setting.controller));
    // a cpuset group costs as much as all the others together, and is of use only with a setting
    if (controllers.join() === "cpuset" && mine.length === 0 && isBelowOwn(cgroupsPath)) continue;
    const folder = makeGroupFolder(path, cgroupsPath, group, (parent) => {
      if (ofCpuset && parent !== path) inheritCpuset(parent, []);
    });
    if (ofCpuset) inheritCpuset(folder, mine);
    for (const setting of mine) apply(folder, setting);
    if (controllers.includes("devices")) denyDevicesV1(folder, resources.devices ?? []);
    group.joins.push(`${folder}/tasks`);
  }
}

/** What a process that joins a running group needs: see CgroupGroup. */
export function openGroup(place: GroupPlace): Pick<CgroupGroup, "joins" | "fd"> {
  const { unified } = place;
  const folders = foldersOf(place).filter((folder) => folder !== unified && folderExists(folder));
  const joins = folders.map((folder) => `${folder}/tasks`);
  return { joins, fd: unified === undefined ? undefined : open(unified, O.PATH | O.DIRECTORY) };
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

/** The files that tell what is available lie at `before` + `cpus` or `mems` + `behind`. */
function checkCpuset({ cpu }: Resources, before: string, behind = ""): void {
  const available = (what: string): string => readText(`${before}${what}${behind}`).trim();
  if (cpu?.cpus !== undefined) requireCpus(cpu.cpus, available("cpus"));
  if (cpu?.mems !== undefined) requireCpus(cpu.mems, available("mems"), "memory nodes");
}

/** A new v1 cpuset group has no CPUs and no memory nodes, and cannot be joined before it has both: its parent's. */
function inheritCpuset(folder: string, settings: readonly Setting[]): void {
  const parent = folder.slice(0, folder.lastIndexOf("/"));
  for (const file of ["cpuset.cpus", "cpuset.mems"])
    if (!settings.some((setting) => setting.file === file) && readText(`${folder}/${file}`).trim() === "")
      writeInto(`${folder}/${file}`, readText(`${parent}/${file}`).trim());
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
