import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { mkdir, mkdirIfMissing, rmdir } from "../../linux/file.ts";

/**
 * The group that containers are in unless they ask for another one. On v2 it keeps the controllers enabled for them:
 * systemd switches off at the root what no unit of its own needs, but not what a group below uses (docs/cgroups.md).
 */
const OWN = "/mydocker";

/** The group of a container: below `parent`, which is a path from the root of each tree, or below ours. */
export function cgroupsPathOf(id: string, parent: string = OWN): string {
  return `${parent}/${id}`;
}

/** The folder of the group above one. */
export function parentOf(folder: string): string {
  return folder.slice(0, folder.lastIndexOf("/"));
}

export function isBelowOwn(cgroupsPath: string): boolean {
  return cgroupsPath.startsWith(`${OWN}/`);
}

/**
 * Makes a group's folder in one tree, and those above it where they are missing, which are put down in `parents`. `prepare` is called for each folder
 * before something is made in it, and told if the folder is new.
 */
export function makeGroupFolder(
  top: string,
  cgroupsPath: string,
  parents: string[],
  prepare: (parent: string, isNew: boolean) => void,
): string {
  for (let tries = 0; ; tries++) {
    try {
      return makeOnce(top, cgroupsPath, parents, prepare);
    } catch (error) {
      if (isErrno(error, "ENOTDIR", "ENAMETOOLONG", "EINVAL"))
        throw new EngineError(`cannot make the cgroup ${cgroupsPath}: ${error.message}`);
      // the last container of our group takes it away when it ends: then once more
      if (tries === 100 || !isErrno(error, "ENOENT", "ENODEV")) throw error;
    }
  }
}

function makeOnce(
  top: string,
  cgroupsPath: string,
  parents: string[],
  prepare: (parent: string, isNew: boolean) => void,
): string {
  const last = cgroupsPath.lastIndexOf("/");
  let parent = top;
  let isNew = false;
  for (const name of cgroupsPath.slice(0, last).split("/")) {
    if (name === "") continue;
    prepare(parent, isNew);
    parent += `/${name}`;
    isNew = mkdirIfMissing(parent);
    if (isNew) parents.push(parent);
  }
  prepare(parent, isNew);
  const folder = parent + cgroupsPath.slice(last);
  mkdir(folder);
  return folder;
}

/** The folders of our own group among the parents of these; nobody's who asked for another one. */
export function ownParents(folders: readonly string[], cgroupsPath: string): string[] {
  return isBelowOwn(cgroupsPath) ? folders.map(parentOf) : [];
}

/** True where the folder is gone; false where something is in it. */
export function removeFolder(folder: string): boolean {
  try {
    rmdir(folder);
    return true;
  } catch (error) {
    // also below something that is no group, or by a name that is too long for any
    if (isErrno(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) return true;
    if (isErrno(error, "EBUSY", "ENOTEMPTY")) return false;
    throw error;
  }
}

/** Removes those of the groups that have nothing in them. */
export function tidyParents(parents: readonly string[]): void {
  for (const parent of parents.toReversed()) removeFolder(parent);
}
