import type { Ulimit } from "../container/record.ts";
import { print } from "../linux/process.ts";
import { hardLimit, hasCapability } from "../linux/rlimit.ts";
import { RLIMITS, type UlimitName } from "../runtime/rlimits.ts";
import { UsageError } from "./errors.ts";

/** `nofile=1024:2048`, or one number for both; -1 is no limit. A later one of a name takes the place of the one before. */
export function parseUlimits(texts: readonly string[]): Ulimit[] {
  const byName = new Map<UlimitName, Ulimit>();
  for (const text of texts) {
    const [, name = "", first, second] = /^([^=]*)=(-?[0-9]+)(?::(-?[0-9]+))?$/.exec(text) ?? [];
    if (first === undefined) throw new UsageError(`invalid ulimit argument: ${text}: it is NAME=SOFT[:HARD]`);
    if (!isName(name))
      throw new UsageError(`invalid ulimit type: ${name}: there are ${Object.keys(RLIMITS).join(", ")}`);
    const soft = Number(first);
    const hard = Number(second ?? first);
    if (soft < -1 || hard < -1 || !Number.isSafeInteger(soft) || !Number.isSafeInteger(hard))
      throw new UsageError(`invalid ulimit argument: ${text}: -1 is no limit, and others are not below 0`);
    if (hard !== -1 && (soft === -1 || soft > hard))
      throw new UsageError(
        `ulimit soft limit must be less than or equal to hard limit: ${soft === -1 ? "-1 (unlimited)" : soft} > ${hard}`,
      );
    byName.set(name, { name, soft, hard });
  }
  return [...byName.values()];
}

function isName(name: string): name is UlimitName {
  return Object.hasOwn(RLIMITS, name);
}

const CAP_SYS_RESOURCE = 24;

/** Says which hard limits a container cannot have, since this process may not raise them (setrlimit(2)). */
export function tellCutLimits(ulimits: readonly Ulimit[] | undefined): void {
  if (!ulimits || hasCapability(CAP_SYS_RESOURCE)) return;
  for (const { name, hard } of ulimits) {
    const present = hardLimit(RLIMITS[name]);
    if (present !== -1 && (hard === -1 || hard > present))
      print(
        2,
        `mydocker: warning: --ulimit ${name}: the hard limit cannot be raised to ${hard} without CAP_SYS_RESOURCE: it is ${present}\n`,
      );
  }
}
