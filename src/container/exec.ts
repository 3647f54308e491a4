import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, openAt, openIn } from "../linux/file.ts";
import { CLONE, fdPath } from "../linux/mount.ts";
import { openPidfd } from "../linux/process.ts";
import { fstat, S_IFCHR, S_IFMT } from "../linux/stat.ts";
import { openPtyAt, type Pty } from "../linux/tty.ts";
import { isFrozen } from "../runtime/cgroup/control.ts";
import { openGroup } from "../runtime/cgroup/group.ts";
import { namespaceFlags, processOrders } from "../runtime/launch.ts";
import { setOomScore } from "../runtime/oomscore.ts";
import { ShimError, type ShimProcess, withShim } from "../runtime/shim.ts";
import type { Process } from "../runtime/spec.ts";
import { FLAG, MESSAGE } from "../runtime/wire.ts";
import { type Attachment, prepareAttach } from "./attach.ts";
import { groupOf } from "./group.ts";
import { notRunning, runningContainer } from "./kill.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, State } from "./record.ts";
import { makeProcess, mergeEnvironments, namespacesOf, withHome } from "./spec.ts";
import { describeShimError } from "./start.ts";
import { readSpec } from "./store.ts";
import { type Identity, resolveUserIn } from "./user.ts";

/** What `exec` was asked for. */
export interface ExecOptions {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly detach: boolean;
  /** It has all capabilities; the filter of system calls is the container's. */
  readonly privileged: boolean;
}

/** A command that has been executed in a container. */
export interface Executing {
  readonly shim: ShimProcess;
  /** Undefined where the client is not attached. */
  readonly attachment: Attachment | undefined;
  readonly record: ContainerRecord;
}

/** Runs a command in all namespaces and the cgroup of a running container; returns once it has been executed. */
export function execInContainer(paths: Paths, reference: string, options: ExecOptions): Executing {
  return withShim((shim) => enterContainer(paths, reference, options, shim));
}

function enterContainer(paths: Paths, reference: string, options: ExecOptions, shim: ShimProcess): Executing {
  const { record, state } = runningContainer(paths, reference);
  const { place } = groupOf(paths, record.id);
  // also by somebody else: what is put into a frozen group does not even take a signal
  if (state.status === "paused" || isFrozen(place))
    throw new EngineError(`container ${record.name} is paused: unpause the container before exec`, 1);
  const { pidfd, root } = openProcess(record, state);
  const group = openGroup(place);
  const terminal = options.terminal ? terminalIn(root) : undefined;
  let attachment: Attachment | undefined;
  try {
    const flags =
      (options.terminal ? FLAG.tty : 0) |
      (options.stdin ? FLAG.stdin : 0) |
      (options.detach ? 0 : FLAG.attached) |
      (options.stdin && !options.detach ? FLAG.attachStdin : 0) |
      (group.fd !== undefined ? FLAG.intoCgroup : 0);
    // what it starts has it from there
    if (record.oomScoreAdj !== undefined) setOomScore(shim.pid, record.oomScoreAdj);
    // the cgroup namespace too: it exists by now
    const cloneFlags = namespaceFlags(namespacesOf(record)) | CLONE.NEWCGROUP;
    shim.begin(
      { role: "enter", flags, cloneFlags },
      {
        subject: pidfd,
        ...(group.fd !== undefined && { cgroup: group.fd }),
        ...(terminal && { ptyMaster: terminal.master, ptySlave: terminal.slave }),
      },
    );
    const spec = readSpec(paths, record.id);
    const process = execProcess(root, spec.process, record, options);
    if (!options.detach) attachment = prepareAttach(shim, terminal, options.stdin);
    shim.launch({ ...processOrders(process, spec.linux.seccomp), joins: group.joins }, false);
    shim.expect(shim.control, MESSAGE.created);
    shim.expectExecuted();
    return { shim, attachment, record };
  } catch (error) {
    attachment?.restore();
    if (error instanceof ShimError) throw describeShimError(error, options.args[0] ?? "", 126);
    throw error;
  } finally {
    for (const fd of [pidfd, root, group.fd, terminal?.slave]) if (fd !== undefined) close(fd);
  }
}

/** Descriptors of a container's first process and of its root: of that process only if it still lives now that they are open. */
function openProcess(
  record: ContainerRecord,
  state: State,
): { readonly pidfd: number; readonly root: number } {
  const pidfd = openPidfd(Number(state.pid));
  if (pidfd === undefined) throw notRunning(record);
  try {
    const root = open(`/proc/${state.pid}/root`, O.PATH | O.DIRECTORY);
    if (isRunning(state)) return { pidfd, root };
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ESRCH")) throw error;
  }
  throw notRunning(record);
}

/** The container's own process, with the command, user, folder and additions of this call. */
function execProcess(root: number, base: Process, record: ContainerRecord, options: ExecOptions): Process {
  const identity = identityIn(root, options.user ?? record.user, record.security?.groups);
  // another user has another home
  const inherited =
    options.user === undefined ? base.env : base.env.filter((entry) => !entry.startsWith("HOME="));
  const term = options.terminal ? ["TERM=xterm"] : [];
  const env = mergeEnvironments([term, inherited, options.env]);
  return makeProcess(
    {
      args: options.args,
      env: withHome(env, identity.home),
      cwd: options.workdir ?? base.cwd,
      terminal: options.terminal,
    },
    identity,
    options.privileged ? { ...record, security: { ...record.security, privileged: true } } : record,
  );
}

/** Docker's exit code for a user that there is none of is another one than in `run`. */
function identityIn(root: number, user: string, groups?: readonly string[]): Identity {
  try {
    return resolveUserIn(root, user, groups);
  } catch (error) {
    throw error instanceof EngineError ? new EngineError(error.message, 126) : error;
  }
}

/** A new terminal in the container's devpts. What stands there must be ptmx and no other device or FIFO. */
function terminalIn(root: number): Pty {
  const devpts = openIn(root, "/dev/pts", O.RDONLY | O.DIRECTORY);
  try {
    // looked at and opened by the same descriptor: in a /dev of others the name may be another thing's the next moment
    const place = openAt(devpts, "ptmx", O.PATH | O.NOFOLLOW);
    try {
      const { mode, rdevMajor, rdevMinor } = fstat(place);
      if ((mode & S_IFMT) !== S_IFCHR || rdevMajor !== 5 || rdevMinor !== 2)
        throw new EngineError(
          "cannot open a terminal: the container's /dev/pts/ptmx is not the terminal multiplexer",
        );
      return openPtyAt(fdPath(place));
    } finally {
      close(place);
    }
  } finally {
    close(devpts);
  }
}
