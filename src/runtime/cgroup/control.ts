import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { writeInto } from "../../linux/file.ts";
import { foldersOf, type GroupPlace } from "./layout.ts";
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

/**
 * The freezers of a group, the one to use first: in the v2 tree, where frozen processes can be killed, else that of v1, where
 * they cannot (cgroup-v2, "cgroup.freeze"; freezer-subsystem.rst). With both, others may have used the second one.
 */
function freezersOf({ unified, hierarchies }: GroupPlace): Freezer[] {
  const freezers: Freezer[] = [];
  if (unified !== undefined)
    freezers.push({
      file: `${unified}/cgroup.freeze`,
      freeze: "1",
      thaw: "0",
      tells: `${unified}/cgroup.events`,
      stopped: /^frozen 1$/m,
    });
  const v1 = hierarchies.find(({ controllers }) => controllers.includes("freezer"));
  if (v1) {
    const file = `${v1.path}/freezer.state`;
    freezers.push({ file, freeze: "FROZEN", thaw: "THAWED", tells: file, stopped: /^FROZEN$/m });
  }
  return freezers;
}

function freezerOf(place: GroupPlace): Freezer {
  const [first] = freezersOf(place);
  if (first) return first;
  throw new EngineError("cannot pause: this host has no freezer cgroup controller", 1);
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
  for (const { file, thaw } of freezersOf(place)) writeIfThere(file, thaw);
}

/** Whether a group is frozen. */
export function isFrozen(place: GroupPlace): boolean {
  return freezersOf(place).some((freezer) => hasStopped(freezer));
}

/**
 * Kills every process of a group, and removes the groups below it: at once with cgroup.kill (Linux 5.14), elsewhere while
 * they are frozen, so that none can escape by forking. No error where there is no such group.
 */
export function killGroup(place: GroupPlace): void {
  const killed = place.unified !== undefined && writeIfThere(`${place.unified}/cgroup.kill`, "1");
  const [first] = freezersOf(place);
  if (!killed && first) writeIfThere(first.file, first.freeze);
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
