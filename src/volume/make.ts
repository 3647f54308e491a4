import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import {
  close,
  lock,
  lockShared,
  mkdir,
  mkdirAll,
  O,
  open,
  renameNew,
  syncFolder,
  writeFileAtomic,
} from "../linux/file.ts";
import { isEmptyFolder, removeTree } from "../linux/folder.ts";
import { exists, isStillAt } from "../linux/stat.ts";
import { fillEmpty, finishFilling, isUnfinished } from "./fill.ts";
import { checkVolumeName, readVolume, type VolumePaths, type VolumeRecord } from "./record.ts";
import { NEW, sweepVolumes } from "./remove.ts";

/** A volume that is to be there. */
export interface VolumePlan {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether it is to survive a power cut that comes at once. */
  readonly durable: boolean;
  /** Fills the folder open on the descriptor with what a volume begins with; called where the volume is empty. */
  readonly fill?: (folder: number) => void;
}

/** A volume that nobody can remove until it is let go. */
export interface HeldVolume {
  readonly record: VolumeRecord;
  /** Whether it was made just now. */
  readonly made: boolean;
  release(): void;
}

/**
 * The volume of that name, made where there is none, and filled where it is empty. What it is made from lies under another
 * name until it is whole: who is killed leaves no half of a volume. While it is held (flock(2), shared) nobody removes it.
 */
export function useVolume(paths: VolumePaths, plan: VolumePlan): HeldVolume {
  checkVolumeName(plan.name);
  for (;;) {
    const made = exists(paths.volume(plan.name)) ? undefined : makeVolume(paths, plan);
    const fd = made ?? openVolume(paths, plan.name);
    // somebody else was faster, to make it or to remove it
    if (fd === undefined) continue;
    const held = holdFilled(paths, plan.name, made === undefined ? plan.fill : undefined, fd);
    if (!held) continue;
    const record = readVolume(paths, plan.name);
    if (record) return { record, made: made !== undefined, release: () => close(fd) };
    close(fd);
    throw new EngineError(
      `cannot use volume ${plan.name}: what is at ${paths.volume(plan.name)} is no volume: remove it`,
    );
  }
}

/** Ends what somebody who was killed had begun to fill. False where there is no such volume (any more). */
export function settleVolume(paths: VolumePaths, name: string): boolean {
  if (readVolume(paths, name) === undefined) return false;
  const fd = openVolume(paths, name);
  if (fd === undefined || !holdFilled(paths, name, undefined, fd)) return false;
  close(fd);
  return true;
}

/** A new volume, with its folder open; undefined where there is one of that name by now. */
function makeVolume(paths: VolumePaths, { name, labels, durable, fill }: VolumePlan): number | undefined {
  mkdirAll(paths.volumes, 0o700);
  sweepVolumes(paths);
  const aside = `${paths.volumes}/${NEW}${crypto.randomUUID()}`;
  mkdir(aside, 0o700);
  let fd: number | undefined;
  try {
    fd = openLocked(aside);
    // taken for one that was left behind
    if (fd === undefined) return undefined;
    mkdir(`${aside}/_data`, 0o755);
    if (fill) {
      const data = open(`${aside}/_data`, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
      try {
        fill(data);
      } finally {
        close(data);
      }
    }
    const record: VolumeRecord = { name, created: new Date().toISOString(), labels };
    writeFileAtomic(`${aside}/record.json`, JSON.stringify(record), durable);
    renameNew(aside, paths.volume(name));
    if (durable) syncFolder(paths.volumes);
    return fd;
  } catch (error) {
    removeTree(aside);
    if (fd !== undefined) close(fd);
    if (isErrno(error, "EEXIST")) return undefined;
    throw error;
  }
}

function openLocked(folder: string): number | undefined {
  try {
    const fd = open(folder, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    lock(fd, true);
    if (isStillAt(fd, folder)) return fd;
    close(fd);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  return undefined;
}

function openVolume(paths: VolumePaths, name: string): number | undefined {
  try {
    return open(paths.volume(name), O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    if (!isErrno(error, "ENOTDIR", "ELOOP")) throw error;
    throw new EngineError(
      `cannot use volume ${name}: what is at ${paths.volume(name)} is no volume: remove it`,
    );
  }
}

/**
 * Fills a volume where it is empty, or where somebody was killed in the middle of that, and holds it shared. False where it
 * was removed meanwhile: then the descriptor is closed.
 */
function holdFilled(paths: VolumePaths, name: string, fill: VolumePlan["fill"], fd: number): boolean {
  const folder = paths.volume(name);
  try {
    lockShared(fd);
    if (wantsFilling(paths, name, fill)) {
      lock(fd, true);
      // between the two locks somebody else may have done it, or removed it
      if (isStillAt(fd, folder) && wantsFilling(paths, name, fill)) {
        if (!finishFilling(folder) && fill && isEmpty(paths.data(name))) {
          fillEmpty(folder, fill);
        }
      }
      lockShared(fd);
    }
    if (isStillAt(fd, folder)) return true;
  } catch (error) {
    close(fd);
    throw error;
  }
  close(fd);
  return false;
}

function wantsFilling(paths: VolumePaths, name: string, fill: VolumePlan["fill"]): boolean {
  return isUnfinished(paths.volume(name)) || (fill !== undefined && isEmpty(paths.data(name)));
}

function isEmpty(folder: string): boolean {
  let fd: number;
  try {
    fd = open(folder, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return false;
    throw error;
  }
  try {
    return isEmptyFolder(fd);
  } finally {
    close(fd);
  }
}
