import { listFolder } from "../linux/folder.ts";
import { exists } from "../linux/stat.ts";

/** Docker's list with Podman's and runc's additions (hardening-defaults). */
export const MASKED = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
];
export const READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/**
 * What tells of each CPU how hot it has been, and by that of what others do on the host: masked by Docker too. On CPUs that
 * have it the first one has it.
 */
export function throttleFolders(cpus = "/sys/devices/system/cpu"): string[] {
  if (!exists(`${cpus}/cpu0/thermal_throttle`)) return [];
  return listFolder(cpus)
    .filter(({ name }) => /^cpu[0-9]+$/.test(name))
    .map(({ name }) => `${cpus}/${name}/thermal_throttle`)
    .filter((folder) => exists(folder));
}
