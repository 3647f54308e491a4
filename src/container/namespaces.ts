import { EngineError } from "../linux/errors.ts";
import { close, O, open, openIn, writeFile } from "../linux/file.ts";
import { CLONE, cloneTree } from "../linux/mount.ts";
import { openPidfd } from "../linux/process.ts";
import { inNamespaces } from "../runtime/launch.ts";
import type { NamespaceType } from "../runtime/spec.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import { type ContainerRecord, ownerOf, type State } from "./record.ts";
import { findId, readRecord, readState } from "./store.ts";

/** The namespaces of other containers that one is to be in, open. */
export interface SharedNamespaces {
  /** By type: a descriptor of it, and where it is. */
  readonly open: ReadonlyMap<NamespaceType, { readonly fd: number; readonly path: string }>;
  /** The other's /dev/shm, as a mount that is nowhere yet. */
  readonly shm: number | undefined;
}

/** Opens what a container is to share; undefined where it shares nothing. Throws EngineError where the other does not run. */
export function openNamespaces(paths: Paths, record: ContainerRecord): SharedNamespaces | undefined {
  const { ipc, pid } = record.namespaces ?? {};
  const [networkOwner, ipcOwner, pidOwner] = [ownerOf(record.network), ownerOf(ipc), ownerOf(pid)];
  if (!networkOwner && !ipcOwner && !pidOwner) return undefined;
  const found = new Map<NamespaceType, { fd: number; path: string }>();
  let shm: number | undefined;
  try {
    if (networkOwner) found.set("network", openNetwork(paths, networkOwner));
    if (pidOwner) found.set("pid", openOf(running(paths, pidOwner, "PID"), "pid", "PID"));
    if (ipcOwner) {
      const state = running(paths, ipcOwner, "IPC");
      found.set("ipc", openOf(state, "ipc", "IPC"));
      shm = shmOf(state);
    }
    return { open: found, shm };
  } catch (error) {
    closeNamespaces({ open: found, shm });
    throw error;
  }
}

export function closeNamespaces({ open: found, shm }: SharedNamespaces): void {
  for (const { fd } of found.values()) close(fd);
  if (shm !== undefined) close(shm);
}

/**
 * The namespace outlives its container now: what is in it must be removed by somebody. Its monitor looks for that once its program
 * has ended, so who sees that it runs after it is marked is in time.
 */
function openNetwork(paths: Paths, owner: string): { readonly fd: number; readonly path: string } {
  const state = running(paths, owner, "network");
  writeFile(paths.unsettled(state.id), "");
  return openOf(state, "net", "network");
}

/** The state of a container that runs and lets others in, for the words of an error with what is to be shared. */
function running(paths: Paths, owner: string, what: string): State {
  const other = readRecord(paths, findId(paths, owner));
  const state = readState(paths, other);
  if (!isRunning(state))
    throw new EngineError(
      `cannot join ${what} of a non running container: ${other.name}: start it first ('mydocker start ${other.name}')`,
    );
  if (what === "IPC" && other.namespaces?.ipc !== "shareable")
    throw new EngineError(
      `cannot join IPC of container ${other.name}: non-shareable IPC (it must be run with --ipc shareable)`,
    );
  return state;
}

function openOf(state: State, file: string, what: string): { readonly fd: number; readonly path: string } {
  const path = `/proc/${state.pid}/ns/${file}`;
  const fd = open(path, O.RDONLY);
  const { name } = state;
  if (!isRunning(state)) {
    close(fd);
    throw new EngineError(`cannot join ${what} of container ${name}: it has just ended`);
  }
  return { fd, path };
}

/** A copy of the mount at another container's /dev/shm: made where that mount is, since nowhere else it may be. */
function shmOf(state: State): number {
  const pidfd = openPidfd(Number(state.pid));
  const { name } = state;
  if (pidfd === undefined || !isRunning(state))
    throw new EngineError(`cannot join IPC of container ${name}: it has just ended`);
  let shm: number | undefined;
  try {
    inNamespaces(pidfd, CLONE.NEWNS, () => {
      const root = open("/", O.PATH | O.DIRECTORY);
      const place = openIn(root, "/dev/shm", O.PATH | O.DIRECTORY | O.NOFOLLOW);
      shm = cloneTree(place, false);
      close(place);
      close(root);
    });
  } finally {
    close(pidfd);
  }
  if (shm === undefined) throw new EngineError(`cannot share /dev/shm of container ${name}`);
  return shm;
}
