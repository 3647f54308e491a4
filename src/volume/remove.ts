import { isErrno, SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, lock, O, open, rename } from "../linux/file.ts";
import { listFolder, removeTree } from "../linux/folder.ts";
import { mountsBelow } from "../linux/mountinfo.ts";
import { isStillAt } from "../linux/stat.ts";
import { NoSuchVolume, readVolume, type VolumePaths } from "./record.ts";

/** How the names of folders begin that are no volumes yet, or none any more. */
export const NEW = ".new-";
const GONE = ".gone-";

/** How long a container that is being made with a volume may hold it, in ms. */
const PATIENCE = 10_000;

/** A volume that containers have is not removed. */
export class VolumeInUse extends EngineError {
  constructor(name: string, containers: readonly string[], otherwise = "a container is being made with it") {
    const who = containers.length > 0 ? `[${containers.join(", ")}]` : otherwise;
    super(`remove ${name}: volume is in use - ${who}`, 1);
  }
}

/**
 * Removes a volume that no container has; `users` says who has it, and is asked while nobody can become one. `patience` in
 * ms. Throws NoSuchVolume, or VolumeInUse.
 */
export function removeVolume(
  paths: VolumePaths,
  name: string,
  users: (name: string) => readonly string[],
  patience = PATIENCE,
): void {
  if (readVolume(paths, name) === undefined) throw new NoSuchVolume(name);
  // who has it already need not be waited for
  const before = users(name);
  if (before.length > 0) throw new VolumeInUse(name, before);
  const fd = openFree(paths, name, patience);
  try {
    const now = users(name);
    if (now.length > 0) throw new VolumeInUse(name, now);
    // what somebody has mounted in there is not the volume's
    const [mounted] = mountsBelow(fd);
    if (mounted !== undefined)
      throw new VolumeInUse(name, [], `something is mounted on ${mounted}: unmount it first`);
    const gone = `${paths.volumes}/${GONE}${crypto.randomUUID()}`;
    rename(paths.volume(name), gone);
    removeTree(gone);
  } finally {
    close(fd);
  }
}

/** The volume's folder, locked. */
function openFree(paths: VolumePaths, name: string, patience: number): number {
  const end = performance.now() + patience;
  for (let pause = 0.5; ; pause = Math.min(pause * 2, 20)) {
    const fd = openIfAny(paths.volume(name));
    if (fd === undefined) throw new NoSuchVolume(name);
    const free = lock(fd, false);
    if (free && isStillAt(fd, paths.volume(name))) return fd;
    close(fd);
    if (free) continue;
    if (performance.now() >= end) throw new VolumeInUse(name, []);
    Bun.sleepSync(pause);
  }
}

function openIfAny(folder: string): number | undefined {
  try {
    return open(folder, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

/** Removes what those have left who were killed while they made or removed a volume. */
export function sweepVolumes(paths: VolumePaths): void {
  for (const { name } of listFolder(paths.volumes)) {
    if (!name.startsWith(NEW) && !name.startsWith(GONE)) continue;
    const folder = `${paths.volumes}/${name}`;
    const fd = openIfAny(folder);
    if (fd === undefined) continue;
    try {
      // by its name: it may have become a volume just now
      if (lock(fd, false) && isStillAt(fd, folder) && mountsBelow(fd).length === 0) removeTree(folder);
    } catch (error) {
      // a disk that is damaged, say: it is not what was asked for
      if (!(error instanceof SysError)) throw error;
    } finally {
      close(fd);
    }
  }
}
