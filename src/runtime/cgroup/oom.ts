import { folderWith, type GroupPlace } from "./layout.ts";
import { readKernelFile } from "./members.ts";

/** The file of a group whose line `oom_kill N` counts the processes that the kernel killed for lack of memory. */
export function oomFile(place: GroupPlace): string {
  const { version, folder } = folderWith(place, "memory");
  return `${folder}/memory.${version === 1 ? "oom_control" : "events"}`;
}

/** v1: where an eventfd is registered for it (cgroup-v1/memory.rst, "OOM Control"); v2 needs none. */
export function oomControlFile(place: GroupPlace): string {
  const { version, folder } = folderWith(place, "memory");
  return version === 1 ? `${folder}/cgroup.event_control` : "";
}

/** Whether the kernel has killed a process of a group for lack of memory (the monitor asks the same at the end). */
export function hasKilledForMemory(place: GroupPlace): boolean {
  return /^oom_kill [1-9]/m.test(readKernelFile(oomFile(place)) ?? "");
}
