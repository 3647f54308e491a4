import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { mkdirIfMissing, readText, writeInto } from "../../linux/file.ts";
import type { CgroupLayout } from "./layout.ts";
import { nameInV2 } from "./limits.ts";
import { groupMembers, moveInto } from "./members.ts";

/** The v2 controllers that containers use. */
const CONTROLLERS = ["cpu", "cpuset", "io", "memory", "pids"];

/** The controllers to be used in the v2 tree: all, or on v1 those that have no hierarchy there. */
export function controllersForV2({ hierarchies }: CgroupLayout): string[] {
  const onV1 = hierarchies.flatMap(({ controllers }) => controllers.map(nameInV2));
  return CONTROLLERS.filter((name) => !onV1.includes(name));
}

/** Those of the wanted controllers that a group of the v2 tree can hand down. */
export function presentControllers(folder: string, wanted: readonly string[]): readonly string[] {
  return wanted.length === 0
    ? wanted
    : namesIn(`${folder}/cgroup.controllers`).filter((name) => wanted.includes(name));
}

function namesIn(file: string): string[] {
  return readText(file).trim().split(" ");
}

/**
 * Hands the controllers that are `present` in `parent`, a folder of the v2 tree that is mounted at `top`, down to the groups
 * below it; returns those that could be. A new folder hands down none. (cgroup-v2, "Controlling Controllers".)
 */
export function enableControllers(
  parent: string,
  top: string,
  present: readonly string[],
  isNew: boolean,
): readonly string[] {
  if (present.length === 0) return present;
  const enabled = isNew ? [] : namesIn(`${parent}/cgroup.subtree_control`);
  const missing = present.filter((name) => !enabled.includes(name));
  if (missing.length === 0) return present;
  const enable = (those: readonly string[]): void =>
    writeInto(`${parent}/cgroup.subtree_control`, those.map((name) => `+${name}`).join(" "));
  try {
    enable(missing);
    return present;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) throw error;
    if (isErrno(error, "EBUSY")) makeInner(parent, top);
  }
  // one that cannot be had is missed only by who asks for it
  const failed = missing.filter((name) => {
    try {
      enable([name]);
      return false;
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENODEV")) throw error;
      return true;
    }
  });
  return present.filter((name) => !failed.includes(name));
}

/** A v2 group with processes of its own cannot have groups with limits below it ("No Internal Process Constraint"). */
function makeInner(parent: string, top: string): void {
  if (!groupMembers(parent).includes(process.pid) || parent !== top)
    throw new EngineError(
      `cannot use the cgroup ${parent.slice(top.length) || "/"} as parent: it has processes of its own; name one that has none`,
    );
  // the tree is that of the container, or the delegated unit, that we are in: as the images of Docker in Docker do it
  mkdirIfMissing(`${top}/init`);
  for (let tries = 0; tries < 100; tries++) {
    const members = groupMembers(top);
    if (members.length === 0) return;
    for (const pid of members) moveInto(`${top}/init`, pid);
  }
}
