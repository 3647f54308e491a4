import { EngineError } from "../../linux/errors.ts";
import { readText, writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { checkCpuset, makeCpuset } from "./cpuset.ts";
import { isBelowOwn } from "./folders.ts";
import { type CgroupLayout, folderWith, type GroupPlace, placeOf, wholeFolder } from "./layout.ts";
import type { Setting } from "./limits.ts";
import { groupMembers, moveInto, readKernelFile } from "./members.ts";
import { withRealtime } from "./realtime.ts";
import { applySetting, hierarchySettings, unifiedSettings } from "./settings.ts";
import { controllersForV2, presentControllers } from "./subtree.ts";

/** A file of a group, what it is to hold, and what it held before. */
interface Change {
  readonly folder: string;
  readonly setting: Setting;
  readonly before: string;
}

/**
 * Gives a group whose limits are `before` those of `after`, while it is used. What the kernel refuses is an error, and the
 * limits are the old ones again. Nothing is done to a group that is gone.
 */
export function updateGroup(
  layout: CgroupLayout,
  cgroupsPath: string,
  before: Resources,
  after: Resources,
): void {
  const place = placeOf(layout, cgroupsPath);
  const folder = wholeFolder(place);
  const isGone = (): boolean => readKernelFile(`${folder}/cgroup.procs`) === undefined;
  if (isGone()) return;
  try {
    change(layout, place, cgroupsPath, before, after);
  } catch (error) {
    if (!isGone()) throw error;
  }
}

function change(
  layout: CgroupLayout,
  place: GroupPlace,
  cgroupsPath: string,
  before: Resources,
  after: Resources,
): void {
  const controllers =
    place.unified === undefined ? [] : presentControllers(place.unified, controllersForV2(layout));
  const all = (resources: Resources): Setting[] => [
    ...(place.unified === undefined ? [] : unifiedSettings(layout, resources, controllers)),
    ...(layout.version === 1 ? hierarchySettings(layout, resources, controllers) : []),
  ];
  const wanted = [...all(after), ...lifted(all(before), all(after))];
  if (wanted.some(({ controller }) => controller === "cpuset"))
    prepareCpuset(layout, place, cgroupsPath, after);
  const applyWanted = (): void =>
    applyAll(
      wanted.map((setting) => {
        const { folder } = folderWith(place, setting.controller);
        return { folder, setting, before: readKernelFile(`${folder}/${setting.file}`)?.trim() ?? "" };
      }),
    );
  if (isBelowOwn(cgroupsPath)) withRealtime(folderWith(place, "cpu").folder, after, applyWanted);
  else applyWanted();
}

/** A quota that is not wanted any more. */
function lifted(before: readonly Setting[], after: readonly Setting[]): Setting[] {
  const file = "cpu.cfs_quota_us";
  const quota = before.find((setting) => setting.file === file);
  return quota && !after.some((setting) => setting.file === file) ? [{ ...quota, value: "-1" }] : [];
}

/** On v1 a container that asked for no CPUs has no cpuset group: it gets one, with all of its processes in it. */
function prepareCpuset(
  layout: CgroupLayout,
  place: GroupPlace,
  cgroupsPath: string,
  resources: Resources,
): void {
  const { version, folder } = folderWith(place, "cpuset");
  const top = layout.hierarchies.find(({ controllers }) => controllers.includes("cpuset"))?.path;
  if (top === undefined || readKernelFile(`${folder}/cgroup.procs`) !== undefined)
    return checkCpuset(version, folder, resources);
  makeCpuset(top, cgroupsPath, [], resources);
  const all = wholeFolder(place);
  // until no new ones have come meanwhile
  for (let moved = new Set<number>(); ; ) {
    const members = groupMembers(all).filter((pid) => !moved.has(pid));
    if (members.length === 0) return;
    for (const pid of members) moveInto(folder, pid);
    moved = new Set([...moved, ...members]);
  }
}

/** Writes the changes in an order that the kernel takes: one limit may not pass another one on the way. */
function applyAll(changes: readonly Change[]): void {
  const done: Change[] = [];
  let rest = changes;
  while (rest.length > 0) {
    const refused: Change[] = [];
    let reason: unknown;
    for (const change of rest) {
      try {
        makeRoom(change);
        applySetting(change.folder, change.setting);
        done.push(change);
      } catch (error) {
        reason ??= error;
        refused.push(change);
      }
    }
    if (refused.length === rest.length) {
      restore(done);
      throw reason;
    }
    rest = refused;
  }
}

/** Puts back what was written, in whatever order the kernel takes that. */
function restore(done: readonly Change[]): void {
  for (let tries = 0; tries < 2; tries++)
    for (const { folder, setting, before } of done.toReversed())
      try {
        writeInto(`${folder}/${setting.file}`, before);
      } catch {
        // the second time, or there is nothing to be done: the first failure is what is told
      }
}

/** v2 kills processes where the limit goes below what they use; v1 refuses it. So is it done here, once caches are given up. */
function makeRoom({ folder, setting: { file, value } }: Change): void {
  if (file !== "memory.max" || value === "max") return;
  const used = (): number => Number(readText(`${folder}/memory.current`));
  const excess = used() - Number(value);
  if (excess <= 0) return;
  try {
    writeInto(`${folder}/memory.reclaim`, String(excess));
  } catch {
    // not all of it, or a kernel that cannot be asked: what counts is what is used now
  }
  if (used() > Number(value))
    throw new EngineError(`cannot set memory.max to ${value}: ${used()} bytes are in use`, 1);
}
