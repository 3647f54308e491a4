import type { ImageConfig } from "../image/store.ts";
import { readTextIfAny, writeFileAtomic } from "../linux/file.ts";
import { rawNumber } from "../linux/text.ts";
import { localTime } from "../linux/time.ts";
import type { EndpointWish, PortWish } from "../network/wish.ts";
import { RLIM_INFINITY, type UlimitName } from "../runtime/rlimits.ts";
import type { DeviceRule, Spec } from "../runtime/spec.ts";
import type { DnsWish, ExtraHost } from "./dns-wish.ts";
import type { IdMap } from "./idmap.ts";
import type { AskedMounts, Tmpfs } from "./mount-wish.ts";
import type { Paths } from "./paths.ts";
import type { Security } from "./security.ts";

/** A folder or file of the host's, or a volume, and its place in a container. */
export interface Volume {
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
  readonly propagation?: string;
  /** The volume's name; empty while it is still to get one. */
  readonly name?: string;
  /** Nobody has named it: it goes with its container where that is asked for. (Of older records: a folder of the container's.) */
  readonly anonymous?: true;
  /** The part of the volume that is meant; resolved inside it when it is mounted. */
  readonly subpath?: string;
  /** It stays empty. */
  readonly noCopy?: true;
  /** Of a volume that is made. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Of --mount: the host's folder is not made. */
  readonly mustExist?: true;
  /** What is mounted below it: left out, or writable though it is not; undefined is like it. */
  readonly below?: "none" | "writable";
  /** The options as they were written. */
  readonly mode?: string;
}

/** The limits of a container, in bytes, billionths of a CPU and plain numbers; undefined is not set. */
export interface Limits {
  readonly memory?: number;
  /** Memory and swap together; -1 is no limit. Undefined with a memory limit: twice that. */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  /** 0 to 100. */
  readonly swappiness?: number;
  readonly oomKillDisable?: boolean;
  /** Out of memory: the whole container is killed. */
  readonly oomGroup?: boolean;
  readonly cpuShares?: number;
  readonly cpuset?: string;
  readonly cpusetMems?: string;
  readonly nanoCpus?: number;
  /** Microseconds. */
  readonly cpuPeriod?: number;
  /** Microseconds for each period; -1 is no limit. */
  readonly cpuQuota?: number;
  /** Microseconds of the quota that may be saved up. */
  readonly cpuBurst?: number;
  readonly pids?: number;
  readonly deviceReadBps?: readonly DeviceRate[];
  readonly deviceWriteBps?: readonly DeviceRate[];
  readonly deviceReadIops?: readonly DeviceRate[];
  readonly deviceWriteIops?: readonly DeviceRate[];
  /** 10 to 1000. */
  readonly blkioWeight?: number;
  readonly blkioWeightDevice?: readonly DeviceWeight[];
  /** Microseconds of real-time scheduling in each period. */
  readonly cpuRealtimeRuntime?: number;
  readonly cpuRealtimePeriod?: number;
  readonly devices?: readonly DeviceMapping[];
  readonly deviceRules?: readonly DeviceRule[];
  readonly ulimits?: readonly Ulimit[];
}

/** A device of the host, or a folder of them, and where it is in the container; access is of `rwm`. */
export interface DeviceMapping {
  readonly host: string;
  readonly container: string;
  readonly access: string;
}

/** A limit of each process (getrlimit(2)); -1 is none. */
export interface Ulimit {
  readonly name: UlimitName;
  readonly soft: number;
  readonly hard: number;
}

export interface DeviceWeight {
  readonly path: string;
  readonly weight: number;
}

/** Bytes or operations each second of a block device of the host. */
export interface DeviceRate {
  readonly path: string;
  readonly rate: number;
}

/** Where a container's namespaces are others than its own by default; `container:ID` is that container's. */
export interface NamespaceModes {
  readonly ipc?: string;
  readonly pid?: string;
  readonly uts?: string;
  readonly cgroup?: string;
}

/** The container that another one is to share a namespace with, by its id, of `container:ID`. */
export function ownerOf(mode: string | undefined): string | undefined {
  return mode?.startsWith("container:") ? mode.slice("container:".length) : undefined;
}

/** What a container is, fixed when it is created; never what it does at the moment. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** The image as it was named, empty for --rootfs. */
  readonly image: string;
  readonly imageId: string;
  /** What its image says besides, where it says anything: shown, and handed on by commit. */
  readonly declared?: Declared;
  /** Overlay's lower folders, the top one first. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string;
  readonly volumes: readonly Volume[];
  readonly tmpfs?: readonly Tmpfs[];
  /** How the mounts were asked for, where there is more to them than can be seen from them. */
  readonly mounts?: AskedMounts;
  /** Its root file system. */
  readonly readOnly?: true;
  readonly limits: Limits;
  readonly security?: Security;
  readonly namespaces?: NamespaceModes;
  /** Of its own namespaces: what /proc/sys is to have, by the names of sysctl(8). */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Its pid 1 is a reaper of ours, and the program its child. */
  readonly init?: true;
  /** Its users are not the host's. */
  readonly idmap?: IdMap;
  /** The group that its group is below, from the root of each cgroup tree; undefined is ours. */
  readonly cgroupParent?: string;
  /** Of /dev/shm, in bytes; undefined is DEFAULT_SHM. */
  readonly shmSize?: number;
  /** `none`, `host`, `container:ID`, else the name of the first network that it is in. */
  readonly network: string;
  /** Its places in networks, where it is in any. */
  readonly endpoints?: readonly EndpointWish[];
  readonly ports?: readonly PortWish[];
  /** `-P`: those that are exposed are among them. */
  readonly publishAll?: boolean;
  /** Besides those that the image names: `80/tcp`. */
  readonly exposed?: readonly string[];
  readonly dns?: DnsWish;
  readonly extraHosts?: readonly ExtraHost[];
  /** How ready the kernel is to kill its processes where memory is out, -1000 to 1000; undefined is as its creator's. */
  readonly oomScoreAdj?: number;
  readonly stdin: boolean;
  readonly autoRemove: boolean;
  readonly stopSignal: string;
  /** Seconds from the stop signal to SIGKILL where nobody says otherwise; negative is for as long as it takes. */
  readonly stopTimeout?: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** What an image declares and the engine does not act on. */
export type Declared = Pick<ImageConfig, "ExposedPorts" | "Volumes" | "Healthcheck" | "Shell" | "OnBuild">;

/** A container's record and its OCI runtime spec. */
export interface Container {
  readonly record: ContainerRecord;
  readonly spec: Spec;
}

/** How a run of a container ended. */
export interface Exit {
  readonly exitCode: number;
  readonly finishedAt: string;
  /** Whether a process of the container was killed for lack of memory. */
  readonly oomKilled: boolean;
}

/**
 * The state in /run. The first seven fields are those of the classic tools' config.json; a container is running
 * only if its monitor lives too (see liveness.ts).
 */
export interface State {
  readonly pid: string;
  readonly id: string;
  readonly name: string;
  readonly command: string;
  readonly createTime: string;
  readonly status: "running" | "paused" | "exited" | "stopped";
  readonly volume: string;
  readonly image: string;
  readonly created: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly exitCode: number;
  /** Whether a process of it was killed for lack of memory; of a run that is not over the kernel tells. */
  readonly oomKilled: boolean;
  readonly bootId: string;
  /** Start time of `pid` in clock ticks, which tells it from a later process of the same number. */
  readonly startTime: string;
}

/** Reads a file of JSON that we wrote; undefined where there is none. Throws on one that is damaged. */
export function readJson<T>(path: string): T | undefined {
  const text = readTextIfAny(path);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** Writes spec and record; the record last, since with it the container exists. */
export function writeContainer(paths: Paths, { record, spec }: Container): void {
  const text = spec.process.rlimits ? JSON.stringify(spec, unlimited) : JSON.stringify(spec);
  writeFileAtomic(paths.spec(record.id), text, !record.autoRemove);
  writeFileAtomic(paths.record(record.id), JSON.stringify(record), !record.autoRemove);
}

/** A limit that is none as the specification has it: a number that is none of JavaScript's. */
function unlimited(key: string, value: unknown): unknown {
  const isLimit = (key === "soft" || key === "hard") && typeof value === "number";
  return isLimit && (value < 0 || value >= RLIM_INFINITY) ? rawNumber("18446744073709551615") : value;
}

/** The classic `createTime` of an RFC 3339 time: `2026-01-31 12:00:00`, local time. */
export function classicTime(rfc3339: string): string {
  return localTime(Date.parse(rfc3339));
}
