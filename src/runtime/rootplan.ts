import { MS } from "../linux/mount.ts";
import type { Device, Mount, Spec } from "./spec.ts";

/** One step of building a container's root; paths are as the container sees them, sources as the host does. */
export type RootStep =
  | {
      readonly op: "filesystem";
      readonly type: string;
      readonly target: string;
      readonly flags: number;
      readonly data: string;
    }
  | {
      readonly op: "bind";
      readonly source: string;
      /** Below the source, resolved inside it. */
      readonly subpath?: string;
      readonly target: string;
      readonly recursive: boolean;
      /** Itself, or with what is mounted below it. */
      readonly readOnly: false | "itself" | "all";
      readonly propagation: number;
    }
  | { readonly op: "proc"; readonly target: string }
  | { readonly op: "shm"; readonly target: string }
  | { readonly op: "pts"; readonly target: string; readonly data: string }
  | { readonly op: "cgroup"; readonly target: string; readonly readOnly: boolean }
  | ({ readonly op: "device" } & Device)
  /** One that was asked for; whether /dev is a file system of the container's own. */
  | ({ readonly op: "node"; readonly ownDev: boolean } & Device)
  | { readonly op: "link"; readonly path: string; readonly target: string }
  | { readonly op: "console"; readonly path: string }
  | { readonly op: "folder"; readonly path: string }
  | { readonly op: "seal"; readonly path: string }
  | { readonly op: "mask"; readonly path: string }
  | { readonly op: "readonly"; readonly path: string };

/** runtime-spec config-linux.md, "Default Devices". */
const DEVICES: readonly (readonly [string, number, number])[] = [
  ["/dev/null", 1, 3],
  ["/dev/zero", 1, 5],
  ["/dev/full", 1, 7],
  ["/dev/random", 1, 8],
  ["/dev/urandom", 1, 9],
  ["/dev/tty", 5, 0],
];

/** runtime-linux.md, "Dev symbolic links", and ptmx from config-linux.md. */
const LINKS: readonly (readonly [string, string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

const MOUNT_FLAGS: Record<string, number> = {
  ro: MS.RDONLY,
  sync: MS.SYNCHRONOUS,
  dirsync: MS.DIRSYNC,
  noatime: MS.NOATIME,
  nodiratime: MS.NODIRATIME,
  relatime: MS.RELATIME,
  nosuid: MS.NOSUID,
  nodev: MS.NODEV,
  noexec: MS.NOEXEC,
  strictatime: MS.STRICTATIME,
};
const PROPAGATIONS: Record<string, number> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
};
/** Options that are neither flags nor the file system's own. */
const PLAIN = new Set(["rw", "bind", "rbind", "newinstance"]);

/**
 * The steps, in order, that turn a root file system into the container's root: the spec's mounts as listed, the
 * devices and links once /dev is there, then what is masked and read-only, since that lies in /proc and /sys.
 */
export function planRoot(spec: Spec): readonly RootStep[] {
  const steps: RootStep[] = [];
  const asked = spec.linux.devices ?? [];
  const isTaken = (path: string): boolean => asked.some((device) => device.path === path);
  let ownDev = false;
  for (const mount of spec.mounts) {
    const step = planMount(mount);
    steps.push(step);
    // a /dev of the user's own keeps its own nodes
    if (mount.destination !== "/dev" || step.op === "bind") continue;
    ownDev = true;
    for (const [path, major, minor] of DEVICES)
      if (!isTaken(path))
        steps.push({ op: "device", path, type: "c", major, minor, fileMode: 0o666, uid: 0, gid: 0 });
    for (const [path, target] of LINKS) if (!isTaken(path)) steps.push({ op: "link", path, target });
  }
  for (const device of asked) steps.push({ op: "node", ownDev, ...device });
  if (spec.process.terminal) steps.push({ op: "console", path: "/dev/console" });
  // the working folder is made where the image has none, as Docker does
  steps.push({ op: "folder", path: spec.process.cwd });
  for (const path of spec.linux.maskedPaths) steps.push({ op: "mask", path });
  for (const path of spec.linux.readonlyPaths) steps.push({ op: "readonly", path });
  // when all that is to be in it is made
  if (spec.root.readonly) steps.push({ op: "seal", path: "/" });
  return steps;
}

function planMount(mount: Mount): RootStep {
  const target = mount.destination;
  const options = mount.options ?? [];
  const flags = options.reduce((sum, option) => sum | (MOUNT_FLAGS[option] ?? 0), 0);
  const data = options.filter((option) => !(option in MOUNT_FLAGS) && !PLAIN.has(option)).join(",");
  if (options.includes("bind") || options.includes("rbind")) {
    const propagation = options.find((option) => option in PROPAGATIONS) ?? "rprivate";
    return {
      op: "bind",
      source: mount.source ?? "",
      ...(mount.subpath !== undefined && { subpath: mount.subpath }),
      target,
      recursive: options.includes("rbind"),
      readOnly: options.includes("rro") ? "all" : options.includes("ro") && "itself",
      propagation: PROPAGATIONS[propagation] ?? MS.PRIVATE | MS.REC,
    };
  }
  if (mount.type === "proc") return { op: "proc", target };
  if (mount.type === "shared-memory") return { op: "shm", target };
  if (mount.type === "devpts") return { op: "pts", target, data };
  if (mount.type === "cgroup") return { op: "cgroup", target, readOnly: options.includes("ro") };
  return { op: "filesystem", type: mount.type ?? "", target, flags, data };
}
