import type { Flag, Parsed } from "./command.ts";

/** What a container sees of the host's files, of volumes and of other containers. */
export const mountFlags: readonly Flag[] = [
  {
    name: "volume",
    short: "v",
    kind: "list",
    value: "[SOURCE:]CTR[:ro]",
    help: "Mount a volume (NAME:CTR, or CTR alone for a new one), or a folder or file of the host",
  },
  {
    name: "mount",
    kind: "list",
    value: "KEY=VALUE,...",
    help: "The same in detail: type=bind|volume|tmpfs,src=SOURCE,dst=CTR,readonly",
  },
  {
    name: "tmpfs",
    kind: "list",
    value: "CTR[:OPTIONS]",
    help: "A file system in memory (size=64m,mode=1777)",
  },
  {
    name: "volumes-from",
    kind: "list",
    value: "CONTAINER[:ro]",
    help: "All that another container has mounted",
  },
  { name: "volume-driver", kind: "string", value: "DRIVER", help: "local, the only one" },
  { name: "read-only", kind: "bool", help: "The root file system is read-only" },
];

/** Whether any of that is asked for that has a place in the container. */
export function asksForMounts(input: Parsed): boolean {
  return ["volume", "mount", "tmpfs", "volumes-from", "volume-driver"].some((name) => input.has(name));
}
