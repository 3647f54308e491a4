import { isErrno } from "../linux/errno.ts";
import { undone } from "../linux/errors.ts";
import { close, mkdir, O, open, rename } from "../linux/file.ts";
import { removeTree } from "../linux/folder.ts";
import { exists } from "../linux/stat.ts";
import { chmodFd, chownFd, readNames, renameNewName, setTimeFd, statName } from "../linux/tree.ts";
import { readXattrs, writeXattr } from "../linux/xattr.ts";

/** In the folder of a volume: what it is to be filled with, whole; who finds it goes on where another was killed. */
const FILLING = "filling";
/** The same while it is being made. */
const STAGED = ".staged";

/** Whether somebody was killed while he was filling the volume in that folder. */
export function isUnfinished(volume: string): boolean {
  return exists(`${volume}/${FILLING}`) || exists(`${volume}/${STAGED}`);
}

/** Fills an empty volume: at once, or should this process be killed, when somebody ends it. The caller holds the volume's lock. */
export function fillEmpty(volume: string, fill: (folder: number) => void): void {
  const outer = open(volume, O.PATH);
  const data = open(`${volume}/_data`, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  try {
    // nothing can be moved into what somebody has mounted there
    if (statName(outer, "").mount !== statName(data, "").mount) return fill(data);
  } finally {
    close(outer);
    close(data);
  }
  stage(volume, fill);
  finishFilling(volume);
}

function stage(volume: string, fill: (folder: number) => void): void {
  const staged = `${volume}/${STAGED}`;
  removeTree(staged);
  mkdir(staged, 0o755);
  const fd = open(staged, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  try {
    fill(fd);
  } catch (error) {
    throw undone(error, () => removeTree(staged));
  } finally {
    close(fd);
  }
  rename(staged, `${volume}/${FILLING}`);
}

/**
 * Moves into the volume what was put ready; false where there is nothing. What is there by now is not touched: containers that
 * had the volume before may be at work in it. The folder itself takes after the image's. The caller holds the volume's lock.
 */
export function finishFilling(volume: string): boolean {
  removeTree(`${volume}/${STAGED}`);
  if (!exists(`${volume}/${FILLING}`)) return false;
  const from = open(`${volume}/${FILLING}`, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  const to = open(`${volume}/_data`, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  try {
    for (const name of readNames(from)) {
      try {
        renameNewName(from, name, to, name);
      } catch (error) {
        if (!isErrno(error, "EEXIST")) throw error;
      }
    }
    const { mode, uid, gid, mtime } = statName(from, "");
    chownFd(to, uid, gid);
    chmodFd(to, mode & 0o7777);
    for (const [name, value] of readXattrs(from))
      if (!name.startsWith("security.selinux")) writeXattr(to, name, value);
    setTimeFd(to, mtime);
  } finally {
    close(from);
    close(to);
  }
  removeTree(`${volume}/${FILLING}`);
  return true;
}
