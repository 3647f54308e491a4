import type { Limits } from "../../container/record.ts";
import { updateContainer } from "../../container/update.ts";
import type { Command, Flag } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { checkLimits, limitFlags, readChange, withoutUndefined } from "../limits.ts";

/** What can be changed while a container runs: Docker's list, and the burst. */
const CHANGEABLE = [
  ...["memory", "memory-swap", "memory-reservation", "kernel-memory", "pids-limit", "cpus", "cpu-shares"],
  ...["cpu-period", "cpu-quota", "cpu-burst", "cpuset-cpus", "cpuset-mems"],
  ...["cpu-rt-period", "cpu-rt-runtime", "blkio-weight"],
];
const flags: readonly Flag[] = limitFlags.filter(({ name }) => CHANGEABLE.includes(name));

/** `update`: other limits for containers, also while they run. */
export const command: Command = {
  name: "update",
  summary: "Change the limits of containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags,
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker update -m 128m c1", "mydocker update --cpus 0.5 --pids-limit 100 c1 c2"],
  run: (input) => {
    if (!flags.some(({ name }) => input.has(name)))
      throw new UsageError("nothing to change: give one or more flags, such as --memory or --cpus", 1);
    const change = readChange(input);
    return forEach(input.args, "serial", (name) =>
      updateContainer(enginePaths(), name, (present) => changeLimits(present, change)),
    );
  },
};

/** The limits of a container with a change; of --cpus and period with quota the one that is new counts. Throws UsageError. */
function changeLimits(present: Limits, change: Limits): Limits {
  const { nanoCpus: _, cpuPeriod, cpuQuota, ...others } = present;
  const kept =
    change.nanoCpus !== undefined
      ? others
      : (change.cpuPeriod ?? change.cpuQuota) !== undefined
        ? withoutUndefined({ ...others, cpuPeriod, cpuQuota })
        : present;
  const limits = { ...kept, ...change };
  checkLimits(limits);
  return limits;
}
