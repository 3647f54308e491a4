import { EngineError } from "../linux/errors.ts";
import { listFolder } from "../linux/folder.ts";
import { isDirectory, lstatIfAny, S_IFBLK, S_IFCHR, S_IFMT, type Stat, statIfAny } from "../linux/stat.ts";
import type { Device } from "../runtime/spec.ts";
import type { ContainerRecord, DeviceMapping } from "./record.ts";

/** What is in the host's /dev and is not a device of its own, as runc passes it over. */
const PASSED_OVER = new Set(["pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev"]);

/**
 * The devices of the host that a mapping stands for: one, or all that are in a folder and below it. Their numbers may be
 * others each time. Throws where there is none.
 */
export function devicesOf({ host, container }: DeviceMapping): Device[] {
  const stat = statIfAny(host);
  if (!stat) throw notThere(host, "no such file or directory");
  const found = isDirectory(stat) ? devicesBelow(host, container) : [deviceOf(stat, container)];
  const devices = found.filter((device) => device !== undefined);
  if (devices.length === 0) throw notThere(host, "not a device node");
  return devices;
}

/** The devices of a container besides the default ones, where there are any: those asked for, with privileges all of the host's. */
export function devicesFor({ limits, security }: ContainerRecord): Device[] | undefined {
  const asked = limits.devices?.flatMap(devicesOf);
  if (!security?.privileged) return asked;
  // of the terminals it has its own
  const taken = new Set(["/dev/ptmx", ...(asked ?? []).map(({ path }) => path)]);
  const all = devicesOf({ host: "/dev", container: "/dev", access: "rwm" });
  return [...(asked ?? []), ...all.filter(({ path }) => !taken.has(path))];
}

function notThere(host: string, reason: string): EngineError {
  return new EngineError(
    `error gathering device information while adding custom device "${host}": ${reason}`,
  );
}

function deviceOf(stat: Stat, path: string): Device | undefined {
  const kind = stat.mode & S_IFMT;
  if (kind !== S_IFBLK && kind !== S_IFCHR) return undefined;
  return {
    path,
    type: kind === S_IFBLK ? "b" : "c",
    major: stat.rdevMajor,
    minor: stat.rdevMinor,
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

/** Links are not followed here: what they lead to is in the folder too, or is not meant. */
function devicesBelow(host: string, container: string): (Device | undefined)[] {
  return listFolder(host).flatMap(({ name }) => {
    if (PASSED_OVER.has(name)) return [];
    const stat = lstatIfAny(`${host}/${name}`);
    if (!stat) return [];
    return isDirectory(stat)
      ? devicesBelow(`${host}/${name}`, `${container}/${name}`)
      : [deviceOf(stat, `${container}/${name}`)];
  });
}
