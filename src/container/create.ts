import { findImage, type ImageConfig, resolveImage, type Wish, withImagesShared } from "../image/store.ts";
import { isErrno } from "../linux/errno.ts";
import { EngineError, undone } from "../linux/errors.ts";
import {
  close,
  lock,
  mkdirIfMissing,
  O,
  open,
  readlinkIfAny,
  symlink,
  unlinkIfAny,
  writeFile,
} from "../linux/file.ts";
import { exists, isDirectory, isStillAt, statIfAny } from "../linux/stat.ts";
import type { NetworkWish, PortWish } from "../network/wish.ts";
import { withShim } from "../runtime/shim.ts";
import type { Resources } from "../runtime/spec.ts";
import { MESSAGE } from "../runtime/wire.ts";
import { makeBindSources } from "./bind-sources.ts";
import type * as CreateVolumes from "./create-volumes.ts";
import type { DnsWish, ExtraHost } from "./dns-wish.ts";
import { writeProvided } from "./etc.ts";
import { refreshPeers } from "./hosts.ts";
import { layersInUse, sweepLayers } from "./images.ts";
import { recordEvents } from "./journal.ts";
import type { MountWish } from "./mount-wish.ts";
import { hostnameOf } from "./network-choice.ts";
import { makeRecord, type Source } from "./new-record.ts";
import { makeOverlay, openMerged } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import {
  type Container,
  type ContainerRecord,
  type Limits,
  type NamespaceModes,
  type Volume,
  writeContainer,
} from "./record.ts";
import { collectGarbage, dispose } from "./remove.ts";
import { resourcesOf } from "./resources.ts";
import { capabilitiesOf, type Security } from "./security.ts";
import {
  firstEnvironment,
  makeProcess,
  makeSpec,
  mergeEnvironments,
  namespacesOf,
  withHome,
} from "./spec.ts";
import { type Running, type StartOptions, startContainer } from "./start.ts";
import { NAME } from "./store.ts";
import { resolveUserIn } from "./user.ts";

/** What `run` or `create` was asked for, parsed and checked. */
export interface CreateOptions {
  readonly name?: string;
  /** An image's name, or with `rootfs` a folder of the host. */
  readonly image: string;
  readonly rootfs: boolean;
  /** What to do where the image is not there. */
  readonly wish: Omit<Wish, "inUse">;
  /** Told, before the container is made, what the user should know. */
  readonly warn: (text: string) => void;
  readonly args: readonly string[];
  /** Replaces the image's; an empty text takes it away. */
  readonly entrypoint?: string;
  /** `K=V`, or `K` to take K out. */
  readonly env: readonly string[];
  readonly volumes: readonly Volume[];
  /** What there is besides, and how it was written. */
  readonly mounts?: MountWish;
  /** The root file system. */
  readonly readOnly?: true;
  readonly limits: Limits;
  readonly security?: Security;
  /** `unconfined`, `default`, or a profile in Docker's JSON format; undefined is `default`. */
  readonly seccomp?: string;
  readonly oomScoreAdj?: number;
  /** The group that the container's group is to be below, from the root of each cgroup tree. */
  readonly cgroupParent?: string;
  /** Of /dev/shm, in bytes. */
  readonly shmSize?: number;
  readonly workdir?: string;
  readonly user?: string;
  readonly hostname?: string;
  readonly network: NetworkWish;
  readonly ports: readonly PortWish[];
  /** `--expose`: `80/tcp`. */
  readonly exposed: readonly string[];
  /** A free port of the host's for each that is exposed. */
  readonly publishAll: boolean;
  readonly dns?: DnsWish;
  readonly extraHosts: readonly ExtraHost[];
  readonly labels: Readonly<Record<string, string>>;
  readonly namespaces?: NamespaceModes;
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly init?: boolean;
  /** How many ids of its own it is to have on the host; undefined is that its users are the host's. */
  readonly ids?: number;
  readonly stopSignal?: string;
  readonly stopTimeout?: number;
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly autoRemove: boolean;
}

/**
 * Creates and starts a container. Returns once its program runs and its record is on disk, or throws with nothing
 * left behind. Unpacks the image first where that is not done yet.
 */
export async function runContainer(paths: Paths, options: CreateOptions, detach: boolean): Promise<Running> {
  const seccomp = await filterOf(options);
  return withSource(paths, options, (source) =>
    withShim((shim) =>
      create(paths, options, source, (record, folderLock) => {
        const running = start(paths, record, options, source.config, { shim, folderLock, detach, seccomp });
        // before the monitor puts down the end
        recordEvents(paths, record, ["create", "start"]);
        if (!running.shim.tell(running.shim.control, MESSAGE.commit))
          throw new EngineError("the container's monitor was killed while the container was being created");
        if (running.connected) refreshPeers(paths, running.connected);
        return running;
      }),
    ),
  );
}

/** Creates a container that is to be started later; returns its id once its record is on disk. */
export async function createContainer(paths: Paths, options: CreateOptions): Promise<string> {
  const seccomp = await filterOf(options);
  return withSource(paths, options, (source) =>
    create(paths, options, source, (record) => {
      const resources = resourcesOf(record.limits, record.security?.privileged);
      const root = openMerged(paths, record.id, record.layers);
      const hostname = hostnameOf(paths, record, options);
      writeContainer(
        paths,
        describe(paths, record, options, source.config, { resources, root, hostname, seccomp }),
      );
      recordEvents(paths, record, ["create"]);
      return record.id;
    }),
  );
}

/** The filter of a container's system calls, as its spec carries it; only one that is not the default one is compiled. */
async function filterOf({ security, seccomp = "default" }: CreateOptions): Promise<string> {
  if (seccomp === "unconfined") return seccomp;
  const plain = !security || (security.privileged ?? security.capAdd ?? security.capDrop) === undefined;
  if (seccomp === "default" && plain) return seccomp;
  const { filterFor } = await import("./seccomp.ts");
  return filterFor(capabilitiesOf(security), seccomp === "default" ? undefined : seccomp);
}

/** Does `use` with what the container is made from, unpacked and kept from being removed meanwhile. */
async function withSource<T>(paths: Paths, options: CreateOptions, use: (source: Source) => T): Promise<T> {
  const { name, image, rootfs, wish, warn } = options;
  if (name !== undefined && !NAME.test(name))
    throw new EngineError(`invalid container name (${name}): only [a-zA-Z0-9][a-zA-Z0-9_.-]+ are allowed`);
  if (!exists(paths.containers) || !exists(paths.run)) paths.make();
  const obtain = (): Promise<void> => obtainAndSweep(paths, image, wish);
  if (!rootfs && (wish.pull === "always" || wish.platform !== undefined)) await obtain();
  let volumes: typeof CreateVolumes | undefined;
  for (;;) {
    const done = withImagesShared(paths.run, () => {
      const source = rootfs ? folderSource(image) : findImage(paths.root, image);
      if (source === undefined) return undefined;
      if (source.foreign !== undefined && wish.platform === undefined)
        warn(
          `The requested image's platform (${source.foreign}) does not match the detected host platform and no specific platform was requested`,
        );
      if (!wantsVolumes(options, source.config)) return { result: use(source) };
      return volumes ? { result: use({ ...source, volumes }) } : "volumes";
    });
    if (done === "volumes") volumes = await import("./create-volumes.ts");
    else if (done) return done.result;
    else await obtain();
  }
}

/** Whether there are volumes among the mounts, be it by the image, or maybe by another container. */
function wantsVolumes({ volumes, mounts }: CreateOptions, { Volumes }: ImageConfig): boolean {
  const declared = Volumes !== undefined && Volumes !== null && Object.keys(Volumes).length > 0;
  const without = (mounts?.from.length ?? 0) + (mounts?.asked.anonymous?.length ?? 0);
  return declared || without > 0 || volumes.some(({ name }) => name !== undefined);
}

/** Unpacks the image, or pulls it; where it came in place of an older one, that one's layer may be of no use any more. */
async function obtainAndSweep(paths: Paths, image: string, wish: Omit<Wish, "inUse">): Promise<void> {
  await resolveImage(paths.root, paths.run, image, { ...wish, inUse: () => layersInUse(paths) });
  await sweepLayers(paths);
}

function folderSource(path: string): Source {
  const folder = statIfAny(path);
  if (!folder || !isDirectory(folder))
    throw new EngineError(`cannot use ${path} as root file system: no such folder`);
  return { id: "", layers: [path], config: {} };
}

/** Makes the folders of a container and takes its name, then `finish`es it; all goes again where that fails. */
function create<T>(
  paths: Paths,
  options: CreateOptions,
  source: Source,
  finish: (record: ContainerRecord, folderLock: number) => T,
): T {
  const { id, folderLock } = claimFolder(paths);
  let release: (() => void) | undefined;
  try {
    const record = makeRecord(paths, id, options, source);
    takeName(paths, record.name, id);
    if (record.cgroupParent !== undefined) writeFile(paths.cgroupParent(id), record.cgroupParent);
    if (record.volumes.length > 0) makeBindSources(record.volumes);
    makeOverlay(paths, id, record.layers, record.idmap);
    release = source.volumes?.holdVolumes(paths, record);
    return finish(record, folderLock);
  } catch (error) {
    release?.();
    throw undone(error, () => {
      // nobody was told of it: nobody is to be told that it is gone
      unlinkIfAny(paths.record(id));
      dispose(paths, id);
    });
  } finally {
    release?.();
    close(folderLock);
  }
}

/** A new id with its folder, locked. A collector of garbage may take the folder before the lock does: then another one. */
function claimFolder(paths: Paths): { id: string; folderLock: number } {
  for (;;) {
    const id = newId();
    if (!mkdirIfMissing(paths.container(id), 0o700)) continue;
    const folderLock = lockFolder(paths, id);
    if (folderLock !== undefined) return { id, folderLock };
  }
}

function lockFolder(paths: Paths, id: string): number | undefined {
  try {
    const fd = open(paths.container(id), O.RDONLY | O.DIRECTORY);
    lock(fd, true);
    if (isStillAt(fd, paths.container(id))) return fd;
    close(fd);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  return undefined;
}

/** Ten decimal digits, not beginning with 0. It need not be a secret: the folder of that name decides if it is new. */
function newId(): string {
  return String(1e9 + Math.floor(Math.random() * 9e9));
}

/** How long somebody who is removing a container, which nobody sees any more, may take to free its name, in ms. */
const NAME_PATIENCE = 5000;

/** Reserves a name for an id: a link that only one process can make. A name held by garbage is freed first. */
function takeName(paths: Paths, name: string, id: string): void {
  const end = performance.now() + NAME_PATIENCE;
  for (let pause = 0.5; ; pause = Math.min(pause * 2, 20)) {
    try {
      symlink(id, paths.name(name));
      return;
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    collectGarbage(paths);
    const holder = readlinkIfAny(paths.name(name));
    if (holder === undefined) continue;
    if (exists(paths.record(holder)) || performance.now() > end)
      throw new EngineError(
        `the name "${name}" is already in use by container "${holder}": remove it ('mydocker rm ${name}') or take another name`,
      );
    Bun.sleepSync(pause);
  }
}

function start(
  paths: Paths,
  record: ContainerRecord,
  options: CreateOptions,
  config: ImageConfig,
  given: Pick<StartOptions, "shim"> & { folderLock: number; detach: boolean; seccomp: string },
): Running {
  const { shim, folderLock, detach, seccomp } = given;
  const resources = resourcesOf(record.limits, record.security?.privileged);
  const hostname = hostnameOf(paths, record, options);
  return startContainer(paths, {
    shim,
    record,
    resources,
    namespaces: namespacesOf(record),
    lock: folderLock,
    attached: !detach,
    attachStdin: !detach && options.stdin,
    terminal: options.terminal,
    hostname,
    warn: options.warn,
    fresh: true,
    describe: () => {
      const root = open(paths.merged(record.id), O.PATH | O.DIRECTORY);
      return describe(paths, record, options, config, { resources, root, hostname, seccomp });
    },
    provide: (attachment) => writeProvided(paths, record, hostname, attachment),
    keep: (container) => writeContainer(paths, container),
  });
}

/** The whole of a new container. Its user is looked up in its files: `root` is where they are mounted, and is closed. */
function describe(
  paths: Paths,
  record: ContainerRecord,
  options: CreateOptions,
  config: ImageConfig,
  found: {
    readonly resources: Resources;
    readonly root: number;
    readonly hostname: string;
    readonly seccomp: string;
  },
): Container {
  const { resources, root, hostname, seccomp } = found;
  const identity = identityIn(root, record.user, record.security?.groups);
  const env = mergeEnvironments([
    firstEnvironment(hostname, options.terminal),
    config.Env ?? [],
    options.env,
  ]);
  const process = makeProcess(
    {
      args: record.command,
      env: withHome(env, identity.home),
      cwd: options.workdir ?? (config.WorkingDir || "/"),
      terminal: options.terminal,
    },
    identity,
    record,
  );
  return { record, spec: makeSpec(paths, record, hostname, process, resources, seccomp) };
}

function identityIn(
  root: number,
  user: string,
  groups?: readonly string[],
): ReturnType<typeof resolveUserIn> {
  try {
    return resolveUserIn(root, user, groups);
  } finally {
    close(root);
  }
}
