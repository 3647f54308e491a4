import { errnoName, errnoWords } from "../linux/errno.ts";
import { EngineError, undone } from "../linux/errors.ts";
import { close, lock, mkdirIfMissing, O, open, rename, unlinkIfAny, writeAll } from "../linux/file.ts";
import { CLONE } from "../linux/mount.ts";
import { SOCKET_TYPE } from "../linux/portsocket.ts";
import { bootId, startTime } from "../linux/process.ts";
import type { Attachment } from "../network/attachment.ts";
import type { HeldPort } from "../network/bind-ports.ts";
import type { Wiring } from "../network/wiring.ts";
import { cgroupsPathOf, ownParents } from "../runtime/cgroup/folders.ts";
import { addHierarchies, type CgroupGroup, createGroup } from "../runtime/cgroup/group.ts";
import { type CgroupLayout, cgroupLayout, foldersOf, placeOf } from "../runtime/cgroup/layout.ts";
import { oomControlFile, oomFile } from "../runtime/cgroup/oom.ts";
import { removeMade } from "../runtime/cgroup/remove.ts";
import { enterAndBuild, type LaunchContext, namespaceFlags, processOrders } from "../runtime/launch.ts";
import { setOomScore } from "../runtime/oomscore.ts";
import type { Orders } from "../runtime/orders.ts";
import { receiveMessage, ShimError, type ShimProcess } from "../runtime/shim.ts";
import type { Namespace, Resources } from "../runtime/spec.ts";
import { makeTerminal, type Terminal } from "../runtime/terminal.ts";
import { FLAG, MESSAGE } from "../runtime/wire.ts";
import { type Attachment as ClientStreams, prepareAttach } from "./attach.ts";
import { claimsOf, writeIdMaps } from "./idmap.ts";
import { eventOf } from "./journal.ts";
import { closeNamespaces, openNamespaces, type SharedNamespaces } from "./namespaces.ts";
import { planNetwork, undoOfNetwork } from "./network.ts";
import { mountMappedOverlay, mountOverlay, unmountOverlay } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import type { Container, ContainerRecord, State } from "./record.ts";
import { stateOf } from "./store.ts";

/** How a container is to be started. */
export interface StartOptions {
  /** The process that becomes the container's monitor; it is gone where the start fails. */
  readonly shim: ShimProcess;
  readonly record: ContainerRecord;
  readonly resources: Resources;
  readonly namespaces: readonly Namespace[];
  /** The lock on the container's folder; the monitor inherits it. */
  readonly lock: number;
  /** The client's streams are the program's. */
  readonly attached: boolean;
  /** So is its stdin. */
  readonly attachStdin: boolean;
  readonly terminal: boolean;
  readonly hostname: string;
  /** The container is being created, and goes where that fails. */
  readonly fresh: boolean;
  /** Says what to run; called once the merged view is mounted. */
  describe(): Container;
  /** Makes what the container's mounts are made from; it is connected like this. */
  provide(attachment: Attachment | undefined): void;
  /** Told what the user should know. */
  warn(text: string): void;
  /** Writes the container down: while its program is being executed, and before the container may outlive its client. */
  keep(container: Container): void;
}

/** A container whose program has been executed. */
export interface Running {
  readonly container: Container;
  readonly shim: ShimProcess;
  readonly pid: number;
  /** Undefined where the client is not attached. */
  readonly attachment: ClientStreams | undefined;
  /** How it is connected; undefined where it is in no network. */
  readonly connected: Attachment | undefined;
}

/** What a start has made so far, for undoing it. */
interface Begun {
  readonly layout: CgroupLayout;
  readonly terminal: Terminal | undefined;
  readonly log: number;
  readonly state: StateFile;
  group?: CgroupGroup;
  attachment?: ClientStreams;
  wiring?: Wiring | undefined;
  shared?: SharedNamespaces | undefined;
  /** The user namespace of one whose users are not the host's. */
  users?: number;
  launched: boolean;
}

/**
 * Starts a container: returns when its program has really been executed, or throws why not. A start that fails leaves
 * no process, mount and group of its own; folders are the caller's.
 */
export function startContainer(paths: Paths, options: StartOptions): Running {
  const log = open(paths.log(options.record.id), O.WRONLY | O.APPEND | O.CREAT | O.NOFOLLOW, 0o600);
  const terminal = options.terminal ? makeTerminal(options.record.idmap?.base) : undefined;
  const state = new StateFile(paths, options.record);
  const begun: Begun = { layout: cgroupLayout(), terminal, log, state, launched: false };
  try {
    return begin(paths, options, begun);
  } catch (error) {
    begun.attachment?.restore();
    throw undone(explain(error, options.record), () => {
      endShim(options.shim, begun.launched);
      state.discard();
      unmountOverlay(paths, options.record.id);
      begun.wiring?.undo();
      if (begun.group) removeMade(begun.layout, begun.group);
    });
  } finally {
    close(log);
    close(state.fd);
    if (begun.group?.fd !== undefined) close(begun.group.fd);
    if (begun.shared) closeNamespaces(begun.shared);
    if (begun.users !== undefined) close(begun.users);
    begun.wiring?.close();
    if (terminal) for (const fd of [terminal.slave, terminal.devpts]) close(fd);
  }
}

function begin(paths: Paths, options: StartOptions, begun: Begun): Running {
  const { record } = options;
  const { terminal, layout, log, state } = begun;
  // before anything is made: an address or a port may be another's
  begun.wiring = planNetwork(paths, record, options.hostname, options.warn);
  begun.shared = openNamespaces(paths, record);
  const { wiring, shared } = begun;
  // on v2 the process is born in its group, whose descriptor it inherits; those of v1 are made meanwhile
  const cgroupsPath = cgroupsPathOf(record.id, record.cgroupParent);
  const group = createGroup(layout, cgroupsPath, options.resources);
  begun.group = group;
  const cgroup = group.fd;
  const pty = terminal && { ptyMaster: terminal.master, ptySlave: terminal.slave };
  const joined = joinedNamespaces(shared);
  const flags = beginFlags(options, cgroup !== undefined) | joined.flags;
  // the cgroup namespace is made by init itself, once it is in its group
  const cloneFlags = namespaceFlags(options.namespaces) & ~(CLONE.NEWCGROUP | joined.kinds);
  const { shim } = options;
  const fds = {
    subject: options.lock,
    log,
    state: state.fd,
    ...(cgroup !== undefined && { cgroup }),
    ...pty,
    ...joined.fds,
  };
  shim.begin({ role: "monitor", flags, cloneFlags }, fds);
  if (wiring) holdPorts(shim, wiring.sockets);
  addHierarchies(layout, group, options.resources);
  const early = record.idmap && startWithIds(paths, record, shim);
  if (early) begun.users = early.users;
  else mountOverlay(paths, record.id, record.layers, record.autoRemove);
  const container = withShared(options.describe(), shared);
  const startedAt = new Date().toISOString();
  shim.launch(makeOrders(paths, container, layout, group, startedAt, wiring), true);
  begun.launched = true;
  options.provide(wiring?.attachment);
  const pid = early?.pid ?? shim.expect(shim.control, MESSAGE.created).a;
  wiring?.connect(pid);
  shim.expect(shim.channel, MESSAGE.ready);
  const context = contextOf(paths, record, begun);
  enterAndBuild(pid, container.spec, context, () => wiring?.configure());
  wiring?.publish();
  if (options.attached) begun.attachment = prepareAttach(shim, terminal, options.attachStdin);
  const { oomScoreAdj } = container.spec.process;
  if (oomScoreAdj !== undefined) setOomScore(pid, oomScoreAdj);
  shim.tell(shim.channel, MESSAGE.go);
  options.keep(container);
  state.write(startedAt, pid);
  shim.expectExecuted();
  state.publish();
  return { container, shim, pid, attachment: begun.attachment, connected: wiring?.attachment };
}

/** One whose users are not the host's: says who they are as soon as it is there, and mounts its files as theirs. */
function startWithIds(
  paths: Paths,
  record: ContainerRecord,
  shim: ShimProcess,
): { pid: number; users: number } {
  const pid = shim.expect(shim.control, MESSAGE.created).a;
  if (record.idmap) writeIdMaps(pid, record.idmap);
  const users = open(`/proc/${pid}/ns/user`, O.RDONLY);
  try {
    mountMappedOverlay(paths, record, users);
    return { pid, users };
  } catch (error) {
    close(users);
    throw error;
  }
}

/** The spec with the namespaces that it is to share. */
function withShared({ record, spec }: Container, shared: SharedNamespaces | undefined): Container {
  if (shared === undefined) return { record, spec };
  const namespaces = spec.linux.namespaces.map(({ type }) => {
    const found = shared.open.get(type);
    return found ? { type, path: found.path } : { type };
  });
  return { record, spec: { ...spec, linux: { ...spec.linux, namespaces } } };
}

/** What the shim is to be told of the namespaces that are joined and not made. */
function joinedNamespaces(shared: SharedNamespaces | undefined): {
  readonly flags: number;
  readonly kinds: number;
  readonly fds: { readonly netns?: number; readonly ipcns?: number; readonly pidns?: number };
} {
  if (!shared) return { flags: 0, kinds: 0, fds: {} };
  const [network, ipc, pid] = (["network", "ipc", "pid"] as const).map((type) => shared.open.get(type)?.fd);
  return {
    flags: (network ? FLAG.joinNetwork : 0) | (ipc ? FLAG.joinIpc : 0) | (pid ? FLAG.joinPid : 0),
    kinds: (network ? CLONE.NEWNET : 0) | (ipc ? CLONE.NEWIPC : 0) | (pid ? CLONE.NEWPID : 0),
    fds: { ...(network && { netns: network }), ...(ipc && { ipcns: ipc }), ...(pid && { pidns: pid }) },
  };
}

/** What the steps that build the root need of what has been made. */
function contextOf(paths: Paths, record: ContainerRecord, begun: Begun): LaunchContext {
  const { layout, terminal, shared, group, users } = begun;
  const hostCgroups = record.namespaces?.cgroup === "host" && layout.version === 1;
  return {
    procAt: paths.runFolder(record.name),
    layout,
    terminal,
    ...(users !== undefined && { users }),
    ...(shared?.shm !== undefined && { shm: shared.shm }),
    ...(hostCgroups &&
      group && { ownGroups: placeOf(layout, group.cgroupsPath).hierarchies.map(({ path }) => path) }),
  };
}

/** Gives the monitor what keeps the ports, and what those who come by ::1 come to. */
function holdPorts(shim: ShimProcess, sockets: readonly HeldPort[]): void {
  shim.hold(sockets.filter(({ relay }) => relay === undefined).map(({ fd }) => fd));
  for (const { fd, relay } of sockets) if (relay) shim.relay(fd, relay.port, SOCKET_TYPE[relay.protocol]);
}

/** Kills what the shim has started, lets it undo its part, and reaps it. */
function endShim(shim: ShimProcess, launched: boolean): void {
  if (launched) {
    shim.tell(shim.control, MESSAGE.signal, 9);
    shim.tell(shim.control, MESSAGE.done);
    while (receiveMessage(shim.control, true) !== undefined);
  }
  shim.reap();
}

function beginFlags(
  { record, terminal, attached, attachStdin, fresh }: StartOptions,
  intoCgroup: boolean,
): number {
  return (
    FLAG.log |
    (terminal ? FLAG.tty : 0) |
    (record.stdin ? FLAG.stdin : 0) |
    (attached ? FLAG.attached : 0) |
    (attachStdin ? FLAG.attachStdin : 0) |
    (intoCgroup ? FLAG.intoCgroup : 0) |
    (fresh ? FLAG.fresh : 0) |
    (record.autoRemove ? FLAG.autoRemove : FLAG.durable) |
    (record.init ? FLAG.reaper : 0) |
    (record.namespaces?.cgroup === "host" ? FLAG.hostCgroups : 0)
  );
}

function makeOrders(
  paths: Paths,
  { record, spec }: Container,
  layout: CgroupLayout,
  group: CgroupGroup,
  startedAt: string,
  wiring: Wiring | undefined,
): Orders {
  const place = placeOf(layout, group.cgroupsPath);
  // also what is not there yet: an update may make it
  const folders = foldersOf(place);
  const ended = { ...stateOf(record), startedAt, exitCode: CODE, oomKilled: OOM, finishedAt: TIME };
  return {
    ...processOrders(spec.process, spec.linux.seccomp),
    // of the host's there is none to be set
    ...(record.namespaces?.uts !== "host" && { hostname: spec.hostname }),
    procAt: paths.runFolder(record.name),
    joins: group.joins,
    oomFile: oomFile(place),
    oomControl: oomControlFile(place),
    journal: paths.events,
    oomEvent: reportTemplate({ time: TIME, ...eventOf(record, "oom") }),
    dieEvent: reportTemplate({ time: TIME, ...eventOf(record, "die"), exitCode: CODE }),
    reports: [
      "exit.json",
      reportTemplate({ exitCode: CODE, oomKilled: OOM, finishedAt: TIME }),
      paths.state(record.name),
      reportTemplate(ended),
    ],
    ...(wiring?.sockets.some(({ relay }) => relay) && { relayTo: wiring.relay }),
    undo: [
      `umount ${paths.merged(record.id)}`,
      ...(wiring ? undoOfNetwork(paths, wiring.attachment) : []),
      // what shares a pid namespace does not end with its first process
      ...(record.namespaces?.pid ? folders.map((folder) => `kill ${folder}`) : []),
      ...folders.map((folder) => `rmdir ${folder}`),
      ...ownParents(folders, group.cgroupsPath).map((folder) => `tidy ${folder}`),
    ],
    remove: [
      paths.overlay(record.id),
      paths.container(record.id),
      ...(record.idmap ? claimsOf(paths, record.idmap) : []),
    ],
    reaper: ["mydocker", "__reap", record.id],
    settler: ["mydocker", "__settle", record.id],
    reaperEnv: [`MYDOCKER_ROOT=${paths.root}`, `MYDOCKER_RUN=${paths.run}`],
  };
}

/** What the monitor fills in when it knows it: the exit code, whether memory was the reason, and the time of the end. */
export const CODE = Symbol("@CODE@");
export const OOM = Symbol("@OOM@");
export const TIME = Symbol("@TIME@");
const FILLED_IN = new Map<unknown, string>([
  [CODE, "@CODE@"],
  [OOM, "@OOM@"],
  [TIME, '"@TIME@"'],
]);

/** JSON of a flat object with the monitor's placeholders; what the user wrote has no `@` left that could look like one. */
export function reportTemplate(value: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(value).map(([key, field]) => {
    const text = FILLED_IN.get(field) ?? JSON.stringify(field).replaceAll("@", "\\u0040");
    return `${JSON.stringify(key)}:${text}`;
  });
  return `{${fields.join(",")}}`;
}

/**
 * The state file of a run while it is not in its place yet. The monitor inherits its descriptor, and with it a lock that
 * lasts as long as the monitor: whoever reads the state tells by the same descriptor whether it is still true.
 */
class StateFile {
  readonly fd: number;
  private readonly aside: string;

  constructor(
    private readonly paths: Paths,
    private readonly record: ContainerRecord,
  ) {
    mkdirIfMissing(paths.runFolder(record.name), 0o700);
    this.aside = `${paths.runFolder(record.name)}/.config.json.${process.pid}`;
    this.fd = open(this.aside, O.RDWR | O.CREAT | O.TRUNC | O.NOFOLLOW, 0o600);
    lock(this.fd, true);
  }

  /** Writes that the container runs, where nobody looks for it yet. */
  write(startedAt: string, pid: number): void {
    const state: State = {
      ...stateOf(this.record),
      pid: String(pid),
      status: "running",
      startedAt,
      bootId: bootId(),
      startTime: startTime(pid) ?? "",
    };
    writeAll(this.fd, encoder.encode(JSON.stringify(state)));
  }

  /** Tells the world, and the classic tools, what was written. */
  publish(): void {
    rename(this.aside, this.paths.state(this.record.name));
  }

  discard(): void {
    unlinkIfAny(this.aside);
  }
}

const encoder = new TextEncoder();

/** What Docker says, with Docker's exit codes, where the program cannot be executed. */
function explain(error: unknown, record: ContainerRecord): unknown {
  return error instanceof ShimError ? describeShimError(error, record.command[0] ?? "") : error;
}

/**
 * 127 for a program that is not there, 126 for one that cannot be run; other steps keep their own words. `folderCode` is
 * for a working folder that cannot be entered.
 */
export function describeShimError(error: ShimError, program: string, folderCode = 125): EngineError {
  const code = errnoName(error.errno);
  const reason = errnoWords(code);
  if (error.stage === "cwd") return new EngineError(error.message, folderCode);
  if (error.stage !== "exec") return error;
  const missing = code === "ENOENT" || code === "ENOTDIR";
  const words = missing && !program.includes("/") ? "executable file not found in $PATH" : reason;
  return new EngineError(`cannot run "${program}": ${words}`, missing ? 127 : 126);
}
