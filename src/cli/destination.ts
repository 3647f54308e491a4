import { normalizePath } from "../linux/text.ts";

/** What may be mounted over in /proc, as runc has it: files that only tell numbers (lxcfs). */
const OVER_PROC = new Set(
  ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"].map(
    (name) => `/proc/${name}`,
  ),
);

/** A mount's place in the container, as it is known from then on. `wrong` makes the error where there can be none. */
export function toDestination(text: string, wrong: (why: string) => Error): string {
  if (!text.startsWith("/"))
    throw wrong(
      `invalid mount path: '${text}' mount path must be absolute: the folder in the container starts with /`,
    );
  const target = normalizePath(text);
  if (target === "/") throw wrong("invalid specification: destination can't be '/'");
  if (/^\/proc(\/|$)/.test(target) && !OVER_PROC.has(target))
    throw wrong("the destination can't be in /proc, which is the kernel's");
  return target;
}

export const PROPAGATIONS: ReadonlySet<string> = new Set([
  "private",
  "rprivate",
  "slave",
  "rslave",
  "shared",
  "rshared",
]);
