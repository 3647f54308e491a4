import { isErrno } from "../../linux/errno.ts";
import { readTextIfAny } from "../../linux/file.ts";
import { DT_DIR, listFolder } from "../../linux/folder.ts";

/** The pids of the processes in a group's folder; none where there is no such group. */
export function groupMembers(folder: string): number[] {
  let listed: string;
  try {
    listed = readTextIfAny(`${folder}/cgroup.procs`) ?? "";
  } catch (error) {
    // removed between the opening and the reading
    if (!isErrno(error, "ENODEV")) throw error;
    listed = "";
  }
  return listed
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}

/** The folders of the groups right below a group's folder; none where there is no such group. */
export function groupsBelow(folder: string): string[] {
  return listFolder(folder)
    .filter(({ type }) => type === DT_DIR)
    .map(({ name }) => `${folder}/${name}`);
}

/** The pids of the processes in a group's folder and in all groups below it. */
export function allMembers(folder: string): number[] {
  return [...groupMembers(folder), ...groupsBelow(folder).flatMap(allMembers)];
}
