import { DEFAULT_DEVICE_RULES } from "../runtime/cgroup/devices.ts";
import type { Resources } from "../runtime/spec.ts";
import type { Limits } from "./record.ts";

/** A fork bomb must not take the host along: Podman's limit; `--pids-limit -1` lifts it. */
export const DEFAULT_PIDS = 2048;
const PERIOD = 100_000;

/** The limits of a container as the OCI runtime spec has them (config-linux.md, "Control groups"). */
export function resourcesOf(limits: Limits): Resources {
  const { pids } = limits;
  const memory = memoryOf(limits);
  return {
    devices: DEFAULT_DEVICE_RULES,
    ...(memory && { memory }),
    cpu: cpuOf(limits),
    ...(pids !== undefined && { pids: { limit: pids } }),
  };
}

function memoryOf(limits: Limits): Resources["memory"] {
  const { memory, memorySwap, memoryReservation, swappiness, oomKillDisable } = limits;
  if (memory === undefined && memoryReservation === undefined && swappiness === undefined && !oomKillDisable)
    return undefined;
  return {
    // as Docker: what may be swapped besides is once more the memory
    ...(memory !== undefined && { limit: memory, swap: memorySwap ?? memory * 2 }),
    ...(memoryReservation !== undefined && { reservation: memoryReservation }),
    ...(swappiness !== undefined && { swappiness }),
    ...(oomKillDisable && { disableOOMKiller: true }),
  };
}

function cpuOf({
  cpuShares,
  cpuset,
  cpusetMems,
  nanoCpus,
  cpuPeriod,
  cpuQuota,
}: Limits): NonNullable<Resources["cpu"]> {
  const share = nanoCpus === undefined ? undefined : Math.round((nanoCpus * PERIOD) / 1e9);
  const quota = share ?? cpuQuota;
  const period = share === undefined ? cpuPeriod : PERIOD;
  return {
    ...(cpuShares !== undefined && { shares: cpuShares }),
    ...(quota !== undefined && { quota }),
    ...(period !== undefined && { period }),
    ...(cpuset !== undefined && { cpus: cpuset }),
    ...(cpusetMems !== undefined && { mems: cpusetMems }),
  };
}
