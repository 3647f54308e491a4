import { EngineError } from "../linux/errors.ts";
import { S_IFBLK, S_IFMT, statIfAny } from "../linux/stat.ts";
import { DEFAULT_DEVICE_RULES } from "../runtime/cgroup/devices.ts";
import type { DeviceRule, Resources, ThrottleDevice } from "../runtime/spec.ts";
import { devicesOf } from "./devices.ts";
import type { DeviceRate, Limits } from "./record.ts";

/** A fork bomb must not take the host along: Podman's limit; `--pids-limit -1` lifts it. */
export const DEFAULT_PIDS = 2048;
const PERIOD = 100_000;

/** The limits of a container as the OCI runtime spec has them (config-linux.md, "Control groups"). */
export function resourcesOf(limits: Limits, privileged = false): Resources {
  const { pids } = limits;
  const memory = memoryOf(limits);
  const blockIO = blockIOOf(limits);
  return {
    // with privileges all of them, which is what a group has that is told nothing
    devices: privileged ? [] : deviceRulesOf(limits),
    ...(memory && { memory }),
    cpu: cpuOf(limits),
    ...(pids !== undefined && { pids: { limit: pids } }),
    ...(blockIO && { blockIO }),
  };
}

function deviceRulesOf({ devices, deviceRules }: Limits): readonly DeviceRule[] {
  if (!devices && !deviceRules) return DEFAULT_DEVICE_RULES;
  const own = (devices ?? []).flatMap((mapping) =>
    devicesOf(mapping).map(
      ({ type, major, minor }): DeviceRule => ({ allow: true, type, major, minor, access: mapping.access }),
    ),
  );
  return [...DEFAULT_DEVICE_RULES, ...own, ...(deviceRules ?? [])];
}

/** A device has its number from the host's /dev each time that the container starts. */
function blockIOOf(limits: Limits): Resources["blockIO"] {
  const { deviceReadBps, deviceWriteBps, deviceReadIops, deviceWriteIops } = limits;
  const { blkioWeight, blkioWeightDevice } = limits;
  const rates = deviceReadBps ?? deviceWriteBps ?? deviceReadIops ?? deviceWriteIops;
  if ((rates ?? blkioWeight ?? blkioWeightDevice) === undefined) return undefined;
  return {
    ...(blkioWeight !== undefined && { weight: blkioWeight }),
    ...(blkioWeightDevice && {
      weightDevice: blkioWeightDevice.map(({ path, weight }) => ({ ...numbersOf(path), weight })),
    }),
    throttleReadBpsDevice: (deviceReadBps ?? []).map(throttleOf),
    throttleWriteBpsDevice: (deviceWriteBps ?? []).map(throttleOf),
    throttleReadIOPSDevice: (deviceReadIops ?? []).map(throttleOf),
    throttleWriteIOPSDevice: (deviceWriteIops ?? []).map(throttleOf),
  };
}

function throttleOf({ path, rate }: DeviceRate): ThrottleDevice {
  return { ...numbersOf(path), rate };
}

function numbersOf(path: string): { major: number; minor: number } {
  const device = statIfAny(path);
  if (device && (device.mode & S_IFMT) === S_IFBLK)
    return { major: device.rdevMajor, minor: device.rdevMinor };
  throw new EngineError(
    `cannot limit the rate of ${path}: ${device ? "it is no block device" : "no such device"}`,
  );
}

function memoryOf(limits: Limits): Resources["memory"] {
  const { memory, memorySwap, memoryReservation, swappiness, oomKillDisable, oomGroup } = limits;
  const any = memory ?? memoryReservation ?? swappiness ?? oomKillDisable ?? oomGroup;
  if (any === undefined) return undefined;
  return {
    ...(memory !== undefined && { limit: memory }),
    // as Docker: what may be swapped besides is once more the memory
    ...(memory !== undefined && memorySwap === undefined && { swap: memory * 2, swapOptional: true }),
    ...(memory !== undefined && memorySwap !== undefined && { swap: memorySwap }),
    ...(memoryReservation !== undefined && { reservation: memoryReservation }),
    ...(swappiness !== undefined && { swappiness }),
    ...(oomKillDisable && { disableOOMKiller: true }),
    ...(oomGroup && { killGroup: true }),
  };
}

/** Of --cpus come a quota and the usual period. */
export function cpuOf({
  cpuShares,
  cpuset,
  cpusetMems,
  nanoCpus,
  cpuPeriod,
  cpuQuota,
  cpuBurst,
  cpuRealtimePeriod,
  cpuRealtimeRuntime,
}: Limits): NonNullable<Resources["cpu"]> {
  const share = nanoCpus === undefined ? undefined : Math.round((nanoCpus * PERIOD) / 1e9);
  const quota = share ?? cpuQuota;
  const period = share === undefined ? cpuPeriod : PERIOD;
  return {
    ...(cpuShares !== undefined && { shares: cpuShares }),
    ...(quota !== undefined && { quota }),
    ...(period !== undefined && { period }),
    ...(cpuBurst !== undefined && { burst: cpuBurst }),
    ...(cpuRealtimePeriod !== undefined && { realtimePeriod: cpuRealtimePeriod }),
    ...(cpuRealtimeRuntime !== undefined && { realtimeRuntime: cpuRealtimeRuntime }),
    ...(cpuset !== undefined && { cpus: cpuset }),
    ...(cpusetMems !== undefined && { mems: cpusetMems }),
  };
}
