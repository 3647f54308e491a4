import { cgroupsPathOf } from "../runtime/cgroup/folders.ts";
import { rlimitType } from "../runtime/rlimits.ts";
import type { Mount, Namespace, NamespaceType, Process, Resources, Spec } from "../runtime/spec.ts";
import { devicesFor } from "./devices.ts";
import { PROVIDED } from "./etc.ts";
import { MASKED, READONLY, throttleFolders } from "./masked.ts";
import { placesOf, userMounts } from "./mounts.ts";
import { namesOwner, sharedWith } from "./network.ts";
import type { Paths } from "./paths.ts";
import { type ContainerRecord, ownerOf } from "./record.ts";
import { capabilitiesOf } from "./security.ts";
import type { Identity } from "./user.ts";

/** Docker's size of /dev/shm, in bytes. */
export const DEFAULT_SHM = 64 << 20;
export const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** As Docker: in a network of its own any user may serve on any port, and ping. */
const NETWORK_SYSCTLS = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** What a process in the container is besides its command: from the record, or from exec's flags. */
export interface ProcessOptions {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly terminal: boolean;
}

/** runtime-spec config.md, "Process". Only root has capabilities by itself; others keep them as the bounding set. */
export function makeProcess(
  options: ProcessOptions,
  identity: Identity,
  { limits, oomScoreAdj, security }: Pick<ContainerRecord, "limits" | "oomScoreAdj" | "security">,
): Process {
  const bounding = capabilitiesOf(security);
  const own = identity.uid === 0 ? bounding : [];
  return {
    terminal: options.terminal,
    user: { uid: identity.uid, gid: identity.gid, umask: 0o022, additionalGids: identity.groups },
    args: options.args,
    env: options.env,
    cwd: options.cwd,
    capabilities: {
      bounding,
      effective: own,
      permitted: own,
      inheritable: [],
      ambient: [],
    },
    ...(security?.noNewPrivileges && { noNewPrivileges: true }),
    ...(security?.apparmor !== undefined && { apparmorProfile: security.apparmor }),
    ...(limits.ulimits && {
      rlimits: limits.ulimits.map(({ name, soft, hard }) => ({ type: rlimitType(name), soft, hard })),
    }),
    ...(oomScoreAdj !== undefined && { oomScoreAdj }),
  };
}

/** What Docker puts before the image's and the user's environment. */
export function firstEnvironment(hostname: string, terminal: boolean): string[] {
  return [DEFAULT_PATH, `HOSTNAME=${hostname}`, ...(terminal ? ["TERM=xterm"] : [])];
}

/** Environments laid over one another: a later `K=V` replaces an earlier one of its name, a bare `K` removes it. */
export function mergeEnvironments(environments: readonly (readonly string[])[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of environments.flat()) {
    const equals = entry.indexOf("=");
    if (equals < 0) merged.delete(entry);
    else merged.set(entry.slice(0, equals), entry);
  }
  return [...merged.values()];
}

/** Adds HOME of the user where the environment has none, or an empty one (runc). */
export function withHome(env: readonly string[], home: string): string[] {
  if (env.some((entry) => entry.startsWith("HOME=") && entry !== "HOME=")) return [...env];
  return [...env.filter((entry) => entry !== "HOME="), `HOME=${home}`];
}

/** The namespaces that a container has for itself. */
export function namespacesOf(record: ContainerRecord): Namespace[] {
  const modes: Partial<Record<NamespaceType, string>> = { ...record.namespaces, network: record.network };
  return (["mount", "pid", "uts", "ipc", "cgroup", "network"] as const)
    .filter((type) => modes[type] !== "host")
    .map((type): Namespace => ({ type }))
    .concat(record.idmap ? [{ type: "user" }] : []);
}

/** Whether a container has a network namespace that is its own: neither the host's, nor another container's. */
function ownsNetwork(record: ContainerRecord): boolean {
  return record.network !== "host" && sharedWith(record) === undefined;
}

function mappingsOf({ idmap }: ContainerRecord): Pick<Spec["linux"], "uidMappings" | "gidMappings"> {
  if (!idmap) return {};
  const mapping = [{ containerID: 0, hostID: idmap.base, size: idmap.size }];
  return { uidMappings: mapping, gidMappings: mapping };
}

function sysctlOf(record: ContainerRecord): Pick<Spec["linux"], "sysctl"> {
  const own = ownsNetwork(record) ? NETWORK_SYSCTLS : undefined;
  return own || record.sysctls ? { sysctl: { ...own, ...record.sysctls } } : {};
}

/** The OCI runtime spec of a container. */
export function makeSpec(
  paths: Paths,
  record: ContainerRecord,
  hostname: string,
  process: Process,
  resources: Resources,
  seccomp = "default",
): Spec {
  const devices = devicesFor(record);
  const open = record.security?.privileged || record.security?.openSystemPaths;
  return {
    ociVersion: "1.2.0",
    process,
    root: { path: paths.merged(record.id), readonly: record.readOnly ?? false },
    hostname,
    mounts: allMounts(paths, record),
    linux: {
      cgroupsPath: cgroupsPathOf(record.id, record.cgroupParent),
      namespaces: namespacesOf(record),
      resources,
      ...mappingsOf(record),
      ...(devices && { devices }),
      ...sysctlOf(record),
      seccomp,
      maskedPaths: open ? [] : [...MASKED, ...throttleFolders()],
      readonlyPaths: open ? [] : READONLY,
    },
  };
}

/** The system's, then the user's (which take the place of the system's), then the provided files on top of both. */
function allMounts(paths: Paths, record: ContainerRecord): Mount[] {
  const taken = placesOf(record);
  const system = systemMounts(record).filter((mount) => !taken.has(mount.destination));
  return [
    ...(record.readOnly ? system.map(readOnlyToo) : system),
    ...userMounts(record),
    ...providedMounts(paths, record, taken),
  ];
}

/** As Docker: those stay writable without which programs do not run. */
function readOnlyToo(mount: Mount): Mount {
  const { destination, options = [] } = mount;
  if (/^\/(proc|dev)(\/|$)/.test(destination) || options.includes("ro")) return mount;
  return { ...mount, options: [...options.filter((option) => option !== "rw"), "ro"] };
}

function systemMounts({ shmSize = DEFAULT_SHM, security, namespaces }: ContainerRecord): Mount[] {
  const kernel = security?.privileged ? "rw" : "ro";
  const groups = security?.writableCgroups ? "rw" : kernel;
  const tight = ["nosuid", "noexec", "nodev"];
  const mount = (destination: string, type: string, options: string[]): Mount => ({
    destination,
    type,
    source: type,
    options,
  });
  return [
    mount("/proc", "proc", tight),
    mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    mount("/sys", "sysfs", [...tight, kernel]),
    mount("/sys/fs/cgroup", "cgroup", [...tight, groups]),
    mount("/dev/mqueue", "mqueue", tight),
    ...sharedMemory(namespaces?.ipc, mount("/dev/shm", "tmpfs", [...tight, "mode=1777", `size=${shmSize}`])),
  ];
}

/** Its own, none, the host's, or (a type of ours) that of whose IPC namespace it is in. */
function sharedMemory(ipc: string | undefined, own: Mount): Mount[] {
  const { destination } = own;
  if (ipc === "none") return [];
  if (ipc === "host")
    return [{ destination, type: "bind", source: destination, options: ["rbind", "rprivate"] }];
  return ownerOf(ipc) !== undefined ? [{ destination, type: "shared-memory" }] : [own];
}

function providedMounts(paths: Paths, record: ContainerRecord, taken: ReadonlySet<string>): Mount[] {
  // as with Docker: who shares a network shares its names
  const folder = paths.container(namesOwner(paths, record));
  return Object.entries(PROVIDED)
    .filter(([, destination]) => !taken.has(destination))
    .map(([name, destination]) => ({
      destination,
      type: "bind",
      source: `${folder}/${name}`,
      options: ["rbind", "rprivate", ...(record.readOnly ? ["ro"] : [])],
    }));
}
