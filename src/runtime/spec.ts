/** The part of the OCI runtime specification (config.md, config-linux.md, 1.0 to 1.3) that the runtime acts on. */

export interface Mount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  /** Ours, of a bind: what is bound lies there below the source, and is looked for inside it. */
  readonly subpath?: string;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

export interface Capabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

/** A limit of a process, `RLIMIT_NOFILE`; -1 is none, and so is RLIM_INFINITY. */
export interface Rlimit {
  readonly type: `RLIMIT_${string}`;
  readonly soft: number;
  readonly hard: number;
}

export interface Process {
  readonly terminal: boolean;
  readonly user: User;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Capabilities;
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly rlimits?: readonly Rlimit[];
  readonly oomScoreAdj?: number;
}

export type NamespaceType = "user" | "pid" | "network" | "mount" | "ipc" | "uts" | "cgroup";

export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface Namespace {
  readonly type: NamespaceType;
  readonly path?: string;
}

/** A device node to be made in the container. */
export interface Device {
  readonly path: string;
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

/** A rate for a block device: bytes or operations each second. */
export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface Resources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    /** Memory and swap together. */
    readonly swap?: number;
    /** Ours: nobody asked for the limit of swap, and a kernel that does not count swap may go without it. */
    readonly swapOptional?: boolean;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
    /** Ours: all of the group is killed, not one process of it (memory.oom.group). */
    readonly killGroup?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    /** Microseconds that may be saved up for later periods. */
    readonly burst?: number;
    readonly realtimeRuntime?: number;
    readonly realtimePeriod?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    readonly weight?: number;
    readonly weightDevice?: readonly { major: number; minor: number; weight: number }[];
    readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
    readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
    readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
    readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
  };
}

export interface Spec {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly linux: {
    /** config-linux.md, "User namespace mappings": the first id of the host's, and how many; the same for users and groups. */
    readonly uidMappings?: readonly IdMapping[];
    readonly gidMappings?: readonly IdMapping[];
    readonly cgroupsPath: string;
    readonly namespaces: readonly Namespace[];
    readonly resources: Resources;
    /** Besides the default ones. */
    readonly devices?: readonly Device[];
    /** Of the container's own namespaces only. */
    readonly sysctl?: Readonly<Record<string, string>>;
    /**
     * Ours, in place of the specification's object: `default`, `unconfined`, or a compiled filter in base64. The default one is
     * for the capabilities of a container that asks for no others.
     */
    readonly seccomp?: string;
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}
