import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { writeInto } from "../../linux/file.ts";
import { foldersOf, folderWith, type GroupPlace } from "./layout.ts";
import { killMembers, readKernelFile } from "./members.ts";

/** How long a process may be in a system call that cannot be interrupted before a freeze is given up, in seconds. */
const PATIENCE_SECONDS = 10;

/** The file that freezes a group, what to write to it, and where which words say that all of it has stopped. */
interface Freezer {
  readonly file: string;
  readonly freeze: string;
  readonly thaw: string;
  readonly tells: string;
  readonly stopped: RegExp;
}

/** In the v2 tree frozen processes can be killed, on v1 they cannot (cgroup-v2, "cgroup.freeze"; freezer-subsystem.rst). */
function freezerOf(place: GroupPlace): Freezer {
  const { unified } = place;
  if (unified !== undefined)
    return {
      file: `${unified}/cgroup.freeze`,
      freeze: "1",
      thaw: "0",
      tells: `${unified}/cgroup.events`,
      stopped: /^frozen 1$/m,
    };
  const file = `${folderWith(place, "freezer").folder}/freezer.state`;
  return { file, freeze: "FROZEN", thaw: "THAWED", tells: file, stopped: /^FROZEN$/m };
}

/** Whether all processes have stopped; undefined where the group is gone. */
function hasStopped({ tells, stopped }: Freezer): boolean | undefined {
  const text = readKernelFile(tells);
  return text === undefined ? undefined : stopped.test(text);
}

/** Stops every process of a group where it is. Throws, and lets them go on, where that does not succeed in time. */
export function freezeGroup(place: GroupPlace): void {
  const freezer = freezerOf(place);
  const end = performance.now() + PATIENCE_SECONDS * 1000;
  writeIfThere(freezer.file, freezer.freeze);
  for (let pause = 0.1; ; pause = Math.min(pause * 2, 10)) {
    const stopped = hasStopped(freezer);
    if (stopped) return;
    if (stopped === undefined) throw new EngineError("cannot freeze the processes: they have ended", 1);
    if (performance.now() > end) {
      thawGroup(place);
      throw new EngineError("cannot freeze the processes: one does not come out of a system call", 1);
    }
    Bun.sleepSync(pause);
  }
}

/** Lets the processes of a group go on. No error where there is no such group. */
export function thawGroup(place: GroupPlace): void {
  const { file, thaw } = freezerOf(place);
  writeIfThere(file, thaw);
}

/** Whether a group is frozen. */
export function isFrozen(place: GroupPlace): boolean {
  return hasStopped(freezerOf(place)) === true;
}

/**
 * Kills every process of a group, and removes the groups below it: at once with cgroup.kill (Linux 5.14), elsewhere while
 * they are frozen, so that none can escape by forking. No error where there is no such group.
 */
export function killGroup(place: GroupPlace): void {
  const killed = place.unified !== undefined && writeIfThere(`${place.unified}/cgroup.kill`, "1");
  if (!killed) {
    const { file, freeze } = freezerOf(place);
    writeIfThere(file, freeze);
  }
  // also those that joined one of the groups only
  for (const folder of foldersOf(place)) killMembers(folder);
  thawGroup(place);
}

/** False where there is no such file. */
function writeIfThere(path: string, value: string): boolean {
  try {
    writeInto(path, value);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return false;
    throw error;
  }
}
