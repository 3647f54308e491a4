import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, lock, O, open, readlinkIfAny, readTextIfAny, tryLockShared } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { bootId, startTime } from "../linux/process.ts";
import { exists, isStillAt } from "../linux/stat.ts";
import { isFrozen } from "../runtime/cgroup/control.ts";
import { wholeFolder } from "../runtime/cgroup/layout.ts";
import { groupMembers } from "../runtime/cgroup/members.ts";
import type { Spec } from "../runtime/spec.ts";
import { groupOf } from "./group.ts";
import { isRunning, isUp, sight } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import {
  type Container,
  type ContainerRecord,
  classicTime,
  type Exit,
  readJson,
  type State,
} from "./record.ts";

/** Ids are ten decimal digits. */
export const ID = /^[0-9]{10}$/;
/** docker-conventions: names match this; it also keeps a name from being a path. */
export const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** There is no container of that name or id, or not any more. */
export class NoSuchContainer extends EngineError {
  constructor(reference: string) {
    super(`No such container: ${reference}`, 1);
  }
}

/** A container as `ps` lists it. */
export interface Listed {
  readonly state: State;
  /** Why its record cannot be read, where it cannot. */
  readonly broken?: string;
}

/** The id that `reference` names: a full id, a name, or the beginning of one id only. */
export function findId(paths: Paths, reference: string): string {
  if (ID.test(reference) && isContainer(paths, reference)) return reference;
  if (NAME.test(reference)) {
    const id = readlinkIfAny(paths.name(reference));
    if (id !== undefined && ID.test(id) && isContainer(paths, id)) return id;
  }
  const matches = /^[0-9]+$/.test(reference) ? listIds(paths).filter((id) => id.startsWith(reference)) : [];
  const found = matches.filter((id) => isContainer(paths, id));
  if (found.length > 1)
    throw new EngineError(
      `ambiguous id prefix ${reference}: it fits ${found.join(", ")}; give more digits`,
      1,
    );
  if (found[0] !== undefined) return found[0];
  throw new NoSuchContainer(reference);
}

/** Every folder of a container, half-made ones included. */
export function listIds(paths: Paths): string[] {
  return listFolder(paths.containers)
    .map((entry) => entry.name)
    .filter((name) => ID.test(name));
}

function isContainer(paths: Paths, id: string): boolean {
  try {
    close(open(paths.record(id), O.PATH));
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

/** The record and spec of a container. */
export function readContainer(paths: Paths, id: string): Container {
  return { record: readRecord(paths, id), spec: readSpec(paths, id) };
}

/** The record of a container. */
export function readRecord(paths: Paths, id: string): ContainerRecord {
  return readPart<ContainerRecord>(paths.record(id), id);
}

/** The record of a container; undefined where there is none that can be read. */
export function recordIfAny(paths: Paths, id: string): ContainerRecord | undefined {
  try {
    return readJson<ContainerRecord>(paths.record(id));
  } catch {
    return undefined;
  }
}

/** The OCI spec of a container. */
export function readSpec(paths: Paths, id: string): Spec {
  return readPart<Spec>(paths.spec(id), id);
}

function readPart<T>(path: string, id: string): T {
  try {
    const part = readJson<T>(path);
    if (part) return part;
  } catch (error) {
    throw new EngineError(
      `the record of container ${id} is damaged: ${reasonOf(error)}; 'rm -f ${id}' removes it`,
      1,
    );
  }
  throw new NoSuchContainer(id);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The state of a container; undefined where it does not run and /run knows nothing of it (after a boot). */
export function readState(paths: Paths, record: ContainerRecord): State | undefined {
  const seen = sight(paths, record.name);
  return seen?.state.id === record.id ? seen.state : lostState(paths, record);
}

/** The containers that run now, told by the locks of their monitors. */
export function listRunning(paths: Paths): Listed[] {
  const listed: Listed[] = [];
  const known = new Set<string>();
  for (const { name } of listFolder(paths.run)) {
    if (!NAME.test(name)) continue;
    const seen = sight(paths, name);
    if (seen?.alive) listed.push({ state: seen.state });
    if (seen) known.add(name);
  }
  for (const { name } of listFolder(paths.names)) {
    if (known.has(name)) continue;
    const state = lostStateOf(paths, name);
    if (state) listed.push({ state });
  }
  return listed.sort(newestFirst);
}

function lostStateOf(paths: Paths, name: string): State | undefined {
  const id = readlinkIfAny(paths.name(name));
  if (id === undefined || !ID.test(id) || !isHeld(paths, id)) return undefined;
  // `ps -a` says of a damaged record that it is one
  const record = recordIfAny(paths, id);
  return record && lostState(paths, record);
}

/**
 * The state of a container that runs although what /run said of it was lost or cut short: its monitor holds the lock on
 * its folder, and pid 1 of its pid namespace is in its group.
 */
function lostState(paths: Paths, record: ContainerRecord): State | undefined {
  if (!isHeld(paths, record.id)) return undefined;
  const { place } = groupOf(paths, record.id);
  const pid = groupMembers(wholeFolder(place)).find((member) => isFirst(member));
  const started = pid === undefined ? undefined : startTime(pid);
  if (pid === undefined || started === undefined) return undefined;
  const status = isFrozen(place) ? "paused" : "running";
  const running = { pid: String(pid), status, startedAt: record.created } as const;
  return { ...stateOf(record), ...running, bootId: bootId(), startTime: started };
}

/** Whether a process is pid 1 of a pid namespace below ours (proc(5), NSpid). */
function isFirst(pid: number): boolean {
  return /^NSpid:.*\t1$/m.test(readTextIfAny(`/proc/${pid}/status`) ?? "");
}

/** Whether somebody holds the lock on a container's folder: who makes, runs, changes or removes it. */
export function isHeld(paths: Paths, id: string): boolean {
  try {
    const fd = open(paths.container(id), O.RDONLY | O.DIRECTORY);
    const free = tryLockShared(fd);
    close(fd);
    return !free;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Every container, running or not, with its present state. */
export function listAll(paths: Paths): Listed[] {
  const listed: Listed[] = [];
  for (const id of listIds(paths)) {
    try {
      const record = readJson<ContainerRecord>(paths.record(id));
      if (record) listed.push({ state: presentState(paths, record) });
    } catch (error) {
      listed.push({ state: brokenState(id), broken: reasonOf(error) });
    }
  }
  return listed.sort(newestFirst);
}

function newestFirst(a: Listed, b: Listed): number {
  return a.state.created < b.state.created ? 1 : a.state.created > b.state.created ? -1 : 0;
}

function brokenState(id: string): State {
  const unknown = { id, name: id, pid: "", command: "", createTime: "", volume: "", image: "", created: "" };
  const times = { startedAt: "", finishedAt: "", bootId: "", startTime: "" };
  return { ...unknown, ...times, status: "exited", exitCode: 0, oomKilled: false };
}

/** What a container does now: its state in /run if that is true, else how its last run is known to have ended. */
export function presentState(paths: Paths, record: ContainerRecord): State {
  const seen = sight(paths, record.name);
  const mine = seen?.state.id === record.id ? seen.state : undefined;
  if (mine && (!isUp(mine) || seen?.alive)) return mine;
  const lost = mine ? undefined : lostState(paths, record);
  if (lost) return lost;
  const exit = readExit(paths, record.id);
  const ended = exit !== undefined && exit.finishedAt > (mine?.startedAt ?? "");
  const started = mine !== undefined || isStarted(paths, record.id);
  return {
    ...(mine ?? stateOf(record)),
    startedAt: mine?.startedAt || (started ? record.created : ""),
    pid: "",
    status: "exited",
    // a run whose end nobody saw was killed together with its monitor
    exitCode: ended ? exit.exitCode : started ? 137 : 0,
    oomKilled: ended && exit.oomKilled,
    finishedAt: ended ? exit.finishedAt : "",
  };
}

/** Whether a container was ever started, be it before a power cut: then it has a log. */
export function isStarted(paths: Paths, id: string): boolean {
  return exists(paths.log(id));
}

/** How the last run ended, where that was recorded. */
export function readExit(paths: Paths, id: string): Exit | undefined {
  try {
    return readJson<Exit>(paths.exit(id));
  } catch {
    return undefined;
  }
}

/** The part of a state that follows from the record. */
export function stateOf(record: ContainerRecord): State {
  return {
    pid: "",
    id: record.id,
    name: record.name,
    // as Docker shows it: what has blanks in quotes, but for the program itself
    command: record.command
      .map((arg, index) => (index > 0 && arg.includes(" ") ? `'${arg}'` : arg))
      .join(" "),
    createTime: classicTime(record.created),
    status: "exited",
    volume: record.volumes
      .map(({ name, source, destination }) => `${name ?? source}:${destination}`)
      .join(","),
    image: record.image,
    created: record.created,
    startedAt: "",
    finishedAt: "",
    exitCode: 0,
    oomKilled: false,
    bootId: "",
    startTime: "",
  };
}

/**
 * The lock on a container's folder: whoever holds it decides about the container; a monitor does while it runs.
 * Undefined where somebody else holds it; throws "No such container" where it has gone meanwhile.
 */
export function tryLock(paths: Paths, id: string): number | undefined {
  let fd: number;
  try {
    fd = open(paths.container(id), O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw new NoSuchContainer(id);
    throw error;
  }
  if (lock(fd, false)) {
    if (isStillAt(fd, paths.container(id))) return fd;
    close(fd);
    throw new NoSuchContainer(id);
  }
  close(fd);
  return undefined;
}

/** Waits up to `seconds` for the lock, or until `enough`; undefined where somebody still holds it then. */
export async function waitForLock(
  paths: Paths,
  id: string,
  seconds: number,
  enough: () => boolean = () => false,
): Promise<number | undefined> {
  const end = performance.now() + seconds * 1000;
  for (let pause = 0.5; ; pause = Math.min(pause * 2, 20)) {
    const fd = tryLock(paths, id);
    if (fd !== undefined || performance.now() > end || enough()) return fd;
    await Bun.sleep(pause);
  }
}

/** Waits up to `seconds` for a run to be over: its program gone, and the lock ours. Undefined where it is not. */
export async function waitForEnd(paths: Paths, state: State, seconds: number): Promise<number | undefined> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const fd = await waitForLock(paths, state.id, (end - performance.now()) / 1000);
    if (fd === undefined || !isRunning(state)) return fd;
    // its monitor was killed and it was not
    close(fd);
    if (performance.now() > end) return undefined;
    await Bun.sleep(10);
  }
}
