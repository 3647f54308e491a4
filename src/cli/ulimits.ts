import type { Ulimit } from "../container/record.ts";
import { readText } from "../linux/file.ts";
import { print } from "../linux/process.ts";
import { hardLimit, hasCapability } from "../linux/rlimit.ts";
import { RLIMITS, type UlimitName } from "../runtime/rlimits.ts";
import { UsageError } from "./errors.ts";

/** `nofile=1024:2048`, or one number for both; -1 is no limit. Of one name the last counts. */
export function parseUlimits(texts: readonly string[]): Ulimit[] {
  const byName = new Map<UlimitName, Ulimit>();
  for (const text of texts) {
    const [, name = "", first, second] = /^([^=]*)=(-?[0-9]+)(?::(-?[0-9]+))?$/.exec(text) ?? [];
    if (first === undefined) throw new UsageError(`invalid ulimit argument: ${text}: it is NAME=SOFT[:HARD]`);
    if (!isName(name))
      throw new UsageError(
        `invalid ulimit type: ${name}: there are ${Object.keys(RLIMITS).toSorted().join(", ")}`,
      );
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
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isName(name: string): name is UlimitName {
  return Object.hasOwn(RLIMITS, name);
}

const CAP_SYS_RESOURCE = 24;

/** Says which hard limits a container cannot have, since this process may not raise them so far (setrlimit(2)). */
export function tellCutLimits(ulimits: readonly Ulimit[] | undefined): void {
  if (!ulimits) return;
  const mayRaise = hasCapability(CAP_SYS_RESOURCE);
  for (const { name, hard } of ulimits) {
    const present = hardLimit(RLIMITS[name]);
    const isAbove = (most: number): boolean => most !== -1 && (hard === -1 || hard > most);
    // nothing raises files above that
    const most = mayRaise && name === "nofile" ? Number(readText("/proc/sys/fs/nr_open")) : -1;
    if (!isAbove(present) || (mayRaise && !isAbove(most))) continue;
    const reason = mayRaise ? `above fs.nr_open, which is ${most}` : "without CAP_SYS_RESOURCE";
    print(
      2,
      `mydocker: warning: --ulimit ${name}: the hard limit cannot be raised to ${hard} ${reason}: it is ${present}\n`,
    );
  }
}
