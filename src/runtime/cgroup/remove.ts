import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, rmdir } from "../../linux/file.ts";
import { openPidfd, signalPidfd } from "../../linux/process.ts";
import { groupMembers, groupsBelow } from "./members.ts";

const SIGKILL = 9;
/** A killed process leaves its group only when the kernel has taken it down: with much memory, not at once. */
const PATIENCE_SECONDS = 10;

/**
 * Removes the folders of a group, with the groups below them. What still runs in them is killed; throws where that does
 * not end within `seconds`. The caller is the only one that starts processes there. (cgroups(7), "Removing cgroups".)
 */
export function removeGroup(folders: readonly string[], seconds = PATIENCE_SECONDS): void {
  const end = performance.now() + seconds * 1000;
  for (const folder of folders) {
    for (let pause = 0.2; !removeFolder(folder); pause = Math.min(pause * 2, 20)) {
      killMembers(folder);
      if (performance.now() > end)
        throw new EngineError(`cannot remove cgroup ${folder}: processes in it do not end`, 1);
      Bun.sleepSync(pause);
    }
  }
}

/** True where the folder is gone; false where something is in it. */
function removeFolder(folder: string): boolean {
  try {
    rmdir(folder);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return true;
    if (isErrno(error, "EBUSY", "ENOTEMPTY")) return false;
    throw error;
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
