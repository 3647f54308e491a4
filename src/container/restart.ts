import { EngineError, undone } from "../linux/errors.ts";
import { close, unlinkIfAny, writeFile } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import type { Warn } from "../network/record.ts";
import { withShim } from "../runtime/shim.ts";
import { MESSAGE } from "../runtime/wire.ts";
import { settleVolume } from "../volume/make.ts";
import { VolumePaths } from "../volume/record.ts";
import { makeBindSources } from "./bind-sources.ts";
import { devicesFor } from "./devices.ts";
import { writeProvided } from "./etc.ts";
import { refreshPeers } from "./hosts.ts";
import { recordEvents } from "./journal.ts";
import { isRunning } from "./liveness.ts";
import { forgetVolatile } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import type { Container, ContainerRecord } from "./record.ts";
import { clearRemains } from "./remains.ts";
import { dispose } from "./remove.ts";
import { resourcesOf } from "./resources.ts";
import { type Running, type StartOptions, startContainer } from "./start.ts";
import { stopAndHold } from "./stop.ts";
import { findId, isStarted, readContainer, readRecord, readState, waitForLock } from "./store.ts";
import { anonymousOf } from "./volumes.ts";

/** Which of the client's streams become the program's. */
export interface Streams {
  readonly attached: boolean;
  readonly stdin: boolean;
}

export const UNATTACHED: Streams = { attached: false, stdin: false };

/**
 * `start`: runs a stopped container again on its own upper layer. Undefined where it runs already, which is no error.
 */
export async function startStopped(
  paths: Paths,
  reference: string,
  streams: Streams,
  warn: Warn,
): Promise<Running | undefined> {
  const record = readRecord(paths, findId(paths, reference));
  const state = readState(paths, record);
  if (isRunning(state)) {
    if (state.status === "paused")
      throw new EngineError(`cannot start container ${record.name}: it is paused; unpause it`, 1);
    return undefined;
  }
  if (!exists(paths.run)) paths.make();
  // the monitor of a run that has just ended may still be unmounting
  const startedByAnother = (): boolean => isRunning(readState(paths, record));
  const lock = await waitForLock(paths, record.id, 10, startedByAnother);
  if (lock === undefined) {
    if (startedByAnother()) return undefined;
    throw new EngineError(`cannot start container ${record.name}: another command is busy with it`, 1);
  }
  try {
    return startHeld(paths, record.id, lock, streams, warn);
  } finally {
    close(lock);
  }
}

/**
 * `restart`: stops the container where it runs, and starts it; returns what it is. One that goes with its program stays for
 * this once.
 */
export async function restartContainer(
  paths: Paths,
  reference: string,
  seconds: number | undefined,
  warn: Warn,
): Promise<ContainerRecord> {
  const record = readRecord(paths, findId(paths, reference));
  const mark = paths.restarting(record.id);
  if (record.autoRemove) writeFile(mark, "", 0o600);
  let lock: number | undefined;
  try {
    lock = await stopAndHold(paths, record, seconds);
    unlinkIfAny(mark);
    if (lock === undefined) await startStopped(paths, record.id, UNATTACHED, warn);
    else startHeld(paths, record.id, lock, UNATTACHED, warn);
    recordEvents(paths, record, ["restart"]);
    return record;
  } finally {
    unlinkIfAny(mark);
    if (lock !== undefined) close(lock);
  }
}

/** The caller holds the lock; only now the limits are those that it is started with. */
function startHeld(paths: Paths, id: string, lock: number, streams: Streams, warn: Warn): Running {
  const container = readContainer(paths, id);
  const { record } = container;
  const first = !isStarted(paths, record.id);
  try {
    return withShim((shim) => startAgain(paths, container, { shim, lock, warn }, streams));
  } catch (error) {
    // as Docker: one that goes with its program goes without it too; another one is as it was
    if (record.autoRemove) throw undone(error, () => dispose(paths, record.id));
    throw undone(error, () => {
      if (first) unlinkIfAny(paths.log(record.id));
      writeFile(paths.failure(record.id), error instanceof Error ? error.message : String(error), 0o600);
    });
  }
}

/** Devices have their numbers from the host at each start. */
function withDevices({ record, spec }: Container): Container {
  const devices = devicesFor(record);
  return devices ? { record, spec: { ...spec, linux: { ...spec.linux, devices } } } : { record, spec };
}

function startAgain(
  paths: Paths,
  container: Container,
  { shim, lock, warn }: Pick<StartOptions, "shim" | "lock" | "warn">,
  streams: Streams,
): Running {
  const { record, spec } = container;
  clearRemains(paths, record.id, record.name);
  forgetVolatile(paths, record.id);
  if (record.volumes.length > 0) makeBindSources(record.volumes);
  for (const { name } of record.volumes)
    if (name !== undefined && !settleVolume(new VolumePaths(paths.root), name))
      throw new EngineError(`cannot start container ${record.name}: its volume ${name} is gone`, 1);
  // they go with it, whatever it has of networks
  if (record.autoRemove && anonymousOf(record).length > 0) writeFile(paths.unsettled(record.id), "");
  const running = startContainer(paths, {
    shim,
    record,
    resources: resourcesOf(record.limits, record.security?.privileged),
    namespaces: spec.linux.namespaces,
    lock,
    attached: streams.attached,
    attachStdin: streams.stdin && record.stdin,
    terminal: spec.process.terminal,
    hostname: spec.hostname,
    warn,
    fresh: false,
    describe: () => withDevices(container),
    provide: (attachment) => writeProvided(paths, record, spec.hostname, attachment),
    keep: () => {},
  });
  // what it says is of the run before
  unlinkIfAny(paths.exit(record.id));
  unlinkIfAny(paths.failure(record.id));
  recordEvents(paths, record, ["start"]);
  running.shim.tell(running.shim.control, MESSAGE.commit);
  if (running.connected) refreshPeers(paths, running.connected);
  return running;
}
