import { readText } from "./file.ts";
import { check, SYS, syscall } from "./libc.ts";

/** The hard limit of this process for a resource by its number (prlimit(2)); -1 for none. */
export function hardLimit(resource: number): number {
  const limits = new BigUint64Array(2);
  check(syscall(SYS.prlimit64, 0, resource, 0, limits), "prlimit", String(resource));
  const hard = limits[1] ?? 0n;
  return hard === 2n ** 64n - 1n ? -1 : Number(hard);
}

/** Whether this process has a capability, by its number (capabilities(7)). */
export function hasCapability(number: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status"))?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n;
}
