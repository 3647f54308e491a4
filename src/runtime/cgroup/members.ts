import { isErrno } from "../../linux/errno.ts";
import { close, readTextIfAny, writeInto } from "../../linux/file.ts";
import { DT_DIR, listFolder } from "../../linux/folder.ts";
import { openPidfd, signalPidfd } from "../../linux/process.ts";
import { removeFolder } from "./folders.ts";

const SIGKILL = 9;

/** The text of a file of a group, or of a process; undefined where that is gone. */
export function readKernelFile(path: string): string | undefined {
  try {
    return readTextIfAny(path);
  } catch (error) {
    // removed between the opening and the reading
    if (isErrno(error, "ENODEV", "ESRCH")) return undefined;
    throw error;
  }
}

/** The pids of the processes in a group's folder; none where there is no such group. */
export function groupMembers(folder: string): number[] {
  return (readKernelFile(`${folder}/cgroup.procs`) ?? "")
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

/** Moves a process into a group; nothing where it has ended. */
export function moveInto(folder: string, pid: number): void {
  try {
    writeInto(`${folder}/cgroup.procs`, String(pid));
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

/** Kills every process in a group's folder, and removes the groups below it. No error where there is no such group. */
export function killMembers(folder: string): void {
  for (const inner of groupsBelow(folder)) {
    killMembers(inner);
    removeFolder(inner);
  }
  for (const pid of groupMembers(folder)) {
    const pidfd = openPidfd(pid);
    if (pidfd === undefined) continue;
    // the descriptor is of the member only if its number is listed still
    if (groupMembers(folder).includes(pid)) signalPidfd(pidfd, SIGKILL);
    close(pidfd);
  }
}
