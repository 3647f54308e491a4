import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { readText, writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { groupsBelow } from "./members.ts";

/**
 * Gives our group above a container's the real-time runtime that its containers have, and this one is to have: a group has no
 * more than the one above it, and a new one none (scheduler/sched-rt-group.rst). `folder` is the container's.
 */
export function allotRealtime(folder: string, { cpu }: Resources): void {
  if (!cpu?.realtimeRuntime) return;
  const parent = folder.slice(0, folder.lastIndexOf("/"));
  const number = (group: string, file: string): number => Number(readText(`${group}/cpu.rt_${file}_us`));
  const share = (group: string): number => number(group, "runtime") / number(group, "period");
  const others = groupsBelow(parent).filter((group) => group !== folder);
  const wanted = cpu.realtimeRuntime / (cpu.realtimePeriod ?? number(folder, "period"));
  const all = others.reduce((sum, group) => sum + share(group), wanted);
  // what sums of fractions are off by is not rounded up to one more
  const runtime = Math.ceil(all * number(parent, "period") - 1e-6);
  try {
    writeInto(`${parent}/cpu.rt_runtime_us`, String(runtime));
  } catch (error) {
    if (!isErrno(error, "EINVAL")) throw error;
    throw new EngineError(
      `cannot set --cpu-rt-runtime to ${cpu.realtimeRuntime}: the host has not so much left for containers`,
    );
  }
}
