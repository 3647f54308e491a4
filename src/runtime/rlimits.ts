import type { Rlimit } from "./spec.ts";

/** The kernel's 2^64 - 1 as it comes out of JSON: JavaScript's number next to it. */
export const RLIM_INFINITY = 2 ** 64;

/** The limits of a process by their names in Docker (it has no `as`), with the kernel's numbers (asm-generic/resource.h). */
export const RLIMITS = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;
export type UlimitName = keyof typeof RLIMITS;

/** The specification's name of a limit, `RLIMIT_NOFILE`. */
export function rlimitType(name: UlimitName): Rlimit["type"] {
  return `RLIMIT_${name.toUpperCase()}`;
}

const UNLIMITED = 0xffffffff;

/** Limits as the shim reads them: for each its number, then soft and hard as two halves, the lower first. */
export function rlimitWords(rlimits: readonly Rlimit[]): number[] {
  const halves = (value: number): number[] =>
    value < 0 || value >= RLIM_INFINITY
      ? [UNLIMITED, UNLIMITED]
      : [value % 2 ** 32, Math.floor(value / 2 ** 32)];
  return rlimits.flatMap(({ type, soft, hard }) => {
    const name = type.slice("RLIMIT_".length).toLowerCase() as UlimitName;
    return [RLIMITS[name], ...halves(soft), ...halves(hard)];
  });
}
