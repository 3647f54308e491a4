import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, lock, O, open, readText, writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { parentOf } from "./folders.ts";
import { groupsBelow, readKernelFile } from "./members.ts";

/** A removed group counts until the kernel has let go of it, some grace periods of RCU later: so long is tried, in ms. */
const PATIENCE = 500;

/**
 * Gives our group above a container's the real-time runtime that its containers have, and this one is to have: a group has no
 * more than the one above it, and a new one none (scheduler/sched-rt-group.rst). `folder` is the container's; `use` sets
 * what it is to have, while no other client does the same.
 */
export function withRealtime(folder: string, { cpu }: Resources, use: () => void): void {
  const runtime = cpu?.realtimeRuntime;
  if (!runtime) return use();
  const parent = open(parentOf(folder), O.RDONLY | O.DIRECTORY);
  try {
    lock(parent, true);
    const end = performance.now() + PATIENCE;
    for (let pause = 1; ; pause *= 2) {
      try {
        allot(folder, runtime, cpu.realtimePeriod);
        return use();
      } catch (error) {
        if (!isRefused(error) || performance.now() > end) throw error;
      }
      Bun.sleepSync(pause);
    }
  } finally {
    close(parent);
  }
}

/** The kernel's word for more than there is. */
function isRefused(error: unknown): boolean {
  return error instanceof EngineError && isErrno(error.cause, "EINVAL");
}

function allot(folder: string, runtime: number, period: number | undefined): void {
  const parent = parentOf(folder);
  const periodOf = (group: string): number => Number(readText(`${group}/cpu.rt_period_us`));
  // one that ends meanwhile has nothing
  const share = (group: string): number =>
    Number(readKernelFile(`${group}/cpu.rt_runtime_us`) ?? "0") /
    Number(readKernelFile(`${group}/cpu.rt_period_us`) ?? "1");
  const others = groupsBelow(parent).filter((group) => group !== folder);
  const all = others.reduce((sum, group) => sum + share(group), runtime / (period ?? periodOf(folder)));
  // what sums of fractions are off by is not rounded up to one more
  const needed = Math.ceil(all * periodOf(parent) - 1e-6);
  try {
    writeInto(`${parent}/cpu.rt_runtime_us`, String(needed));
  } catch (error) {
    if (!isErrno(error, "EINVAL")) throw error;
    throw new EngineError(
      `cannot set --cpu-rt-runtime to ${runtime}: the host has not so much left for containers`,
      undefined,
      { cause: error },
    );
  }
}
