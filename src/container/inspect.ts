import { readTextIfAny } from "../linux/file.ts";
import { isFrozen } from "../runtime/cgroup/control.ts";
import { deviceLineV1 } from "../runtime/cgroup/devices.ts";
import { hasKilledForMemory } from "../runtime/cgroup/oom.ts";
import { groupOf } from "./group.ts";
import { inspectMounts, inspectMountWishes } from "./inspect-mounts.ts";
import { exposedPorts, inspectBindings, inspectNetworks } from "./inspect-network.ts";
import { isUp, statusOf } from "./liveness.ts";
import { NIL_LIST, NIL_MAP, withHidden } from "./nil.ts";
import type { Paths } from "./paths.ts";
import type { Container, ContainerRecord, DeviceRate, State } from "./record.ts";
import { DEFAULT_SHM } from "./spec.ts";

const NEVER = "0001-01-01T00:00:00Z";

/** A container as `docker inspect` shows it (field names of Docker's API, GraphDriver folders included). */
export function inspectContainer(paths: Paths, { record, spec }: Container, state: State): object {
  const { process } = spec;
  const exposed = exposedPorts(record);
  const shown = {
    Id: record.id,
    Created: record.created,
    Path: record.command[0] ?? "",
    Args: record.command.slice(1),
    State: inspectState(paths, state),
    Image: record.imageId,
    ResolvConfPath: `${paths.container(record.id)}/resolv.conf`,
    HostnamePath: `${paths.container(record.id)}/hostname`,
    HostsPath: `${paths.container(record.id)}/hosts`,
    LogPath: paths.log(record.id),
    Name: `/${record.name}`,
    RestartCount: 0,
    Driver: "overlay2",
    Platform: "linux",
    AppArmorProfile: record.security?.apparmor ?? "",
    HostConfig: inspectHostConfig(record, spec),
    GraphDriver: {
      Name: "overlay2",
      Data: {
        LowerDir: record.layers.join(":"),
        MergedDir: paths.merged(record.id),
        UpperDir: paths.upper(record.id),
        WorkDir: paths.work(record.id),
      },
    },
    Mounts: inspectMounts(record),
    Config: withHidden(
      {
        Hostname: spec.hostname,
        User: record.user,
        AttachStdin: record.stdin,
        Tty: process.terminal,
        OpenStdin: record.stdin,
        Env: process.env,
        Cmd: record.command.slice(record.entrypoint.length),
        Entrypoint: record.entrypoint.length > 0 ? record.entrypoint : NIL_LIST,
        Image: record.image,
        WorkingDir: process.cwd,
        Labels: record.labels,
        StopSignal: record.stopSignal,
        ...(record.stopTimeout !== undefined && { StopTimeout: record.stopTimeout }),
        Volumes: NIL_MAP,
        OnBuild: NIL_LIST,
        ...record.declared,
        ...(exposed.length > 0 && { ExposedPorts: Object.fromEntries(exposed.map((key) => [key, {}])) }),
      },
      { ExposedPorts: NIL_MAP, Healthcheck: null, Shell: NIL_LIST },
    ),
    NetworkSettings: inspectNetworks(paths, record),
  };
  return withHidden(shown, { ID: record.id });
}

/** Of a container that runs the kernel is asked, who knows best. */
function inspectState(paths: Paths, state: State): object {
  const place = isUp(state) ? groupOf(paths, state.id).place : undefined;
  const running = place !== undefined;
  const paused = running && isFrozen(place);
  return {
    Status: running ? (paused ? "paused" : "running") : statusOf(state),
    Running: running,
    Paused: paused,
    Restarting: false,
    OOMKilled: running ? hasKilledForMemory(place) : state.oomKilled,
    Dead: false,
    Pid: running ? Number(state.pid) : 0,
    ExitCode: state.exitCode,
    Error: running ? "" : (readTextIfAny(paths.failure(state.id)) ?? ""),
    StartedAt: state.startedAt || NEVER,
    FinishedAt: state.finishedAt || NEVER,
  };
}

function inspectRates(rates: readonly DeviceRate[] | undefined): object | null {
  return rates?.map(({ path, rate }) => ({ Path: path, Rate: rate })) ?? null;
}

function inspectHostConfig(record: ContainerRecord, spec: Container["spec"]): object {
  const { limits } = record;
  const config = {
    ...inspectMountWishes(record),
    NetworkMode: record.network,
    CgroupParent: record.cgroupParent ?? "",
    AutoRemove: record.autoRemove,
    Memory: limits.memory ?? 0,
    MemorySwap: limits.memorySwap ?? (limits.memory ?? 0) * 2,
    MemoryReservation: limits.memoryReservation ?? 0,
    MemorySwappiness: limits.swappiness ?? null,
    OomGroup: limits.oomGroup ?? false,
    OomKillDisable: limits.oomKillDisable ?? false,
    CpuShares: limits.cpuShares ?? 0,
    NanoCpus: limits.nanoCpus ?? 0,
    CpuBurst: limits.cpuBurst ?? 0,
    CpuPeriod: limits.cpuPeriod ?? 0,
    CpuQuota: limits.cpuQuota ?? 0,
    CpusetCpus: limits.cpuset ?? "",
    CpusetMems: limits.cpusetMems ?? "",
    PidsLimit: limits.pids ?? null,
    BlkioDeviceReadBps: inspectRates(limits.deviceReadBps),
    BlkioDeviceWriteBps: inspectRates(limits.deviceWriteBps),
    BlkioDeviceReadIOps: inspectRates(limits.deviceReadIops),
    BlkioDeviceWriteIOps: inspectRates(limits.deviceWriteIops),
    BlkioWeight: limits.blkioWeight ?? 0,
    BlkioWeightDevice: (limits.blkioWeightDevice ?? []).map(({ path, weight }) => ({
      Path: path,
      Weight: weight,
    })),
    CpuRealtimePeriod: limits.cpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: limits.cpuRealtimeRuntime ?? 0,
    Devices: (limits.devices ?? []).map(({ host, container, access }) => ({
      PathOnHost: host,
      PathInContainer: container,
      CgroupPermissions: access,
    })),
    DeviceCgroupRules: limits.deviceRules?.map(deviceLineV1) ?? null,
    Ulimits: limits.ulimits?.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })) ?? null,
    OomScoreAdj: record.oomScoreAdj ?? 0,
    ShmSize: record.shmSize ?? DEFAULT_SHM,
    Privileged: record.security?.privileged ?? false,
    CapAdd: record.security?.capAdd ?? null,
    CapDrop: record.security?.capDrop ?? null,
    GroupAdd: record.security?.groups ?? null,
    IpcMode: record.namespaces?.ipc ?? "private",
    PidMode: record.namespaces?.pid ?? "",
    UTSMode: record.namespaces?.uts ?? "",
    CgroupnsMode: record.namespaces?.cgroup ?? "private",
    UsernsMode: record.idmap ? "auto" : "",
    Sysctls: record.sysctls ?? NIL_MAP,
    Init: record.init ?? null,
    SecurityOpt: record.security?.options ?? null,
    MaskedPaths: spec.linux.maskedPaths,
    ReadonlyPaths: spec.linux.readonlyPaths,
    PortBindings: inspectBindings(record),
    PublishAllPorts: record.publishAll ?? false,
    Dns: record.dns?.servers ?? [],
    DnsOptions: record.dns?.options ?? [],
    DnsSearch: record.dns?.search ?? [],
    ExtraHosts: record.extraHosts?.map(({ host, address }) => `${host}:${address}`) ?? null,
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
  };
  return withHidden(config, { Mounts: NIL_LIST, Tmpfs: NIL_MAP });
}
