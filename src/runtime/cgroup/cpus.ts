import { EngineError } from "../../linux/errors.ts";

/** The numbers of a list of CPUs as the kernel writes it, `0-2,5` (cpuset(7), "List format"); none of an empty one. */
export function cpuNumbers(list: string): number[] {
  return list
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/**
 * Throws where a list names CPUs (or memory nodes: `what`) that are not in the other one: v1 says so with a bare errno,
 * v2 not at all.
 */
export function requireCpus(wanted: string, available: string, what = "CPUs"): void {
  const there = new Set(cpuNumbers(available));
  if (cpuNumbers(wanted).every((cpu) => there.has(cpu))) return;
  throw new EngineError(`Requested ${what} are not available: requested ${wanted}, available: ${available}`);
}
