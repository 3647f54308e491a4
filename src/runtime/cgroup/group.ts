import { isErrno } from "../../linux/errno.ts";
import { undone } from "../../linux/errors.ts";
import { close, O, open } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { checkCpuset, makeCpuset } from "./cpuset.ts";
import { denyDevicesV1, filterDevicesV2 } from "./devices.ts";
import { isBelowOwn, makeGroupFolder } from "./folders.ts";
import { type CgroupLayout, foldersOf, type GroupPlace } from "./layout.ts";
import { withRealtime } from "./realtime.ts";
import { removeMade } from "./remove.ts";
import { applySetting, hierarchySettings, unifiedSettings } from "./settings.ts";
import { controllersForV2, enableControllers, presentControllers } from "./subtree.ts";

/** A container's place in the cgroup trees, as far as it is made. */
export interface CgroupGroup {
  /** Its path from the root of each tree. */
  readonly cgroupsPath: string;
  /** The groups above it that had to be made. */
  readonly parents: string[];
  /** The controllers that are used in the v2 tree, by their names there. */
  readonly controllers: readonly string[];
  /** v1: the `tasks` files that the container's first process writes "0" to. */
  readonly joins: string[];
  /** v2: the folder, open, for CLONE_INTO_CGROUP. The caller closes it. */
  readonly fd: number | undefined;
}

/**
 * The first half of making a group: its folder in the v2 tree, in which the container's first process is born. On a pure
 * v2 host all limits are set there; a limit whose controller the host lacks is an error. (cgroup-v2 of the kernel's
 * admin guide.) Where only v1 is mounted there is nothing to do yet. What was made is removed again when something fails.
 */
export function createGroup(layout: CgroupLayout, cgroupsPath: string, resources: Resources): CgroupGroup {
  const top = layout.unified;
  const group = { cgroupsPath, parents: [], joins: [], fd: undefined };
  if (top === undefined) return { ...group, controllers: [] };
  let fd: number | undefined;
  try {
    const wanted = controllersForV2(layout);
    let controllers: readonly string[] = [];
    const prepare = (parent: string, isNew: boolean): void => {
      const available = parent === top ? presentControllers(top, wanted) : controllers;
      controllers = enableControllers(parent, top, available, isNew);
    };
    const folder = makeGroupFolder(top, cgroupsPath, group.parents, prepare);
    const settings = unifiedSettings(layout, resources, controllers);
    if (controllers.includes("cpuset")) checkCpuset(2, folder, resources);
    for (const setting of settings) applySetting(folder, setting);
    fd = open(folder, O.RDONLY | O.DIRECTORY);
    const elsewhere = layout.hierarchies.some((one) => one.controllers.includes("devices"));
    if (!elsewhere) filterDevicesV2(fd, resources.devices ?? []);
    return { ...group, controllers, fd };
  } catch (error) {
    if (fd !== undefined) close(fd);
    throw undone(error, () => removeMade(layout, group));
  }
}

/** The second half, for the v1 hierarchies: may be done while the process is being born (cgroup-v1/*). */
export function addHierarchies(layout: CgroupLayout, group: CgroupGroup, resources: Resources): void {
  if (layout.version === 2) return;
  const { cgroupsPath, controllers: elsewhere } = group;
  const settings = hierarchySettings(layout, resources, elsewhere);
  for (const { path, controllers } of layout.hierarchies) {
    const ofCpuset = controllers.includes("cpuset");
    const mine = settings.filter((setting) => controllers.includes(setting.controller));
    // a cpuset group costs as much as all the others together, and is of use only with a setting
    if (controllers.join() === "cpuset" && mine.length === 0 && isBelowOwn(cgroupsPath)) continue;
    const folder = ofCpuset
      ? makeCpuset(path, cgroupsPath, group.parents, resources)
      : makeGroupFolder(path, cgroupsPath, group.parents, () => {});
    const applyAll = (): void => {
      for (const setting of mine) applySetting(folder, setting);
    };
    if (controllers.includes("cpu") && isBelowOwn(cgroupsPath)) withRealtime(folder, resources, applyAll);
    else applyAll();
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
