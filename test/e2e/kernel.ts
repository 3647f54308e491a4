/** The kernel's own view of a container. */
import { readFileSync, readlinkSync } from "node:fs";

/** The namespaces of a process by kind, e.g. `net:[4026531840]`. */
export function namespaces(pid: number | "self"): Record<string, string> {
  const kinds = ["mnt", "pid", "uts", "ipc", "net", "cgroup"];
  return Object.fromEntries(kinds.map((kind) => [kind, readlinkSync(`/proc/${pid}/ns/${kind}`)]));
}

/** A field of /proc/PID/status; empty where the process is gone. */
export function statusField(pid: number, field: string): string {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
  const match = new RegExp(`^${field}:\\s*(.*)$`, "m").exec(status);
  return match?.[1] ?? "";
}

/** Whether this host's cgroups are pure v2. */
export const CGROUP2 = !/ - cgroup cgroup .*memory/.test(readFileSync("/proc/self/mountinfo", "utf8"));

/** The text of a file of a container's cgroup: `v1` in this controller's folder, or `v2`. */
export function groupFile(id: string, controller: string, v1: string, v2: string): string {
  return readFileSync(`${cgroupFolder(id, controller)}/${CGROUP2 ? v2 : v1}`, "utf8").trim();
}

/** The folder of a container's cgroup, of this controller on v1. */
export function cgroupFolder(id: string, controller: string): string {
  return CGROUP2 ? `/sys/fs/cgroup/mydocker/${id}` : `/sys/fs/cgroup/${controller}/mydocker/${id}`;
}
