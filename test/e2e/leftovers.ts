/**
 * What of the suite's is on the machine: processes, namespaces, mounts, cgroups, folders, links. Somebody else's
 * containers, which may come and go beside it, are told apart by the folders they use.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { BINARY, ROOT, RUN } from "./place.ts";

interface Seen {
  readonly pid: number;
  readonly comm: string;
  readonly monitor: boolean;
}

export function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

const OWN_MOUNTS = readlinkSync("/proc/self/ns/mnt");

/** What a process is where it is of the suite: by its environment, by what it holds open, or by its mounts. */
function ofTheSuite(pid: number): Seen | undefined {
  const mentions = (file: string): boolean => readFileSync(`/proc/${pid}/${file}`, "utf8").includes(ROOT);
  // a zombie has none: it is its new parent's to reap, and nothing of ours runs any more
  const inside = readlinkSync(`/proc/${pid}/ns/mnt`) !== OWN_MOUNTS;
  const comm = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  const monitor = comm === "mydocker:mon" && holdsOurs(pid);
  const ours =
    monitor ||
    (inside ? mentions("mountinfo") : readlinkSync(`/proc/${pid}/exe`) === BINARY && mentions("environ"));
  return ours ? { pid, comm, monitor } : undefined;
}

function holdsOurs(pid: number): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) =>
    quietly(() => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${ROOT}/`), false),
  );
}

function processes(): Seen[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => quietly(() => ofTheSuite(Number(pid)), undefined) ?? []);
}

/** Clients, monitors, reapers, and what runs in containers. */
export function processesLeft(): string[] {
  return processes().map(({ pid, comm }) => `process ${pid} ${comm}`);
}

/** The monitors of this suite's containers. */
export function monitors(): number[] {
  return processes()
    .filter(({ monitor }) => monitor)
    .map(({ pid }) => pid);
}

function cgroupFolders(): string[] {
  const found: string[] = [];
  const look = (folder: string): void => {
    for (const entry of quietly(() => readdirSync(folder, { withFileTypes: true }), [])) {
      const path = `${folder}/${entry.name}`;
      if (/^[0-9]{10}$/.test(entry.name)) found.push(path);
      else if (entry.name === "mydocker") {
        const before = found.length;
        look(path);
        // ours above them, which goes with the last one
        if (found.length === before) found.push(path);
      } else if (entry.isDirectory() && folder === "/sys/fs/cgroup") look(path);
    }
  };
  look("/sys/fs/cgroup");
  return found;
}

/** Groups that were there before the suite. */
const FOREIGN = new Set(cgroupFolders());

/** Cgroup folders that came since the suite began; one with a process in it that is not the suite's is not either. */
export function cgroupsLeft(): string[] {
  return cgroupFolders().filter((folder) => {
    if (FOREIGN.has(folder)) return false;
    const inside = quietly(() => readFileSync(`${folder}/cgroup.procs`, "utf8"), "").split("\n");
    const pids = inside.filter((pid) => pid !== "").map(Number);
    return pids.length === 0 || pids.some((pid) => quietly(() => ofTheSuite(pid), undefined) !== undefined);
  });
}

/** Lines of our mountinfo that name one of our folders. */
export function mountsLeft(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(ROOT) || line.includes(RUN));
}

/** What is left in the folders of containers and volumes. */
export function foldersLeft(): string[] {
  const states = quietly(() => readdirSync(RUN), []).filter((name) => !name.startsWith("."));
  const kept = ["containers", "overlay2", "names", "volumes"].flatMap((folder) =>
    existsSync(`${ROOT}/${folder}`)
      ? readdirSync(`${ROOT}/${folder}`).map((name) => `${folder}/${name}`)
      : [],
  );
  return [...kept, ...states.map((name) => `run/${name}`)];
}

/** Namespaces of every process that `which` picks, and with them those that a mount keeps. */
export function namespacesNow(which: (pid: number) => boolean = () => true): Set<string> {
  const kinds = ["mnt", "pid", "uts", "ipc", "net", "cgroup"];
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  const held = pids
    .filter((pid) => quietly(() => which(Number(pid)), false))
    .flatMap((pid) => kinds.flatMap((kind) => quietly(() => [readlinkSync(`/proc/${pid}/ns/${kind}`)], [])));
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  return new Set([...held, ...(mounts.match(/\b(?:net|mnt|uts|ipc|cgroup|pid):\[\d+\]/g) ?? [])]);
}

/** Namespaces that came since the suite began, but for those in which only somebody else's processes are. */
export function namespacesLeft(): string[] {
  const others = namespacesNow((pid) => ofTheSuite(pid) === undefined);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const left = [...namespacesNow()].filter((one) => !BEFORE.namespaces.has(one));
  return left.filter((one) => !others.has(one) || mounts.includes(one));
}

/** Links of the network that the suite is in, whatever /sys shows. */
export function linksNow(): Set<string> {
  const table = readFileSync("/proc/self/net/dev", "utf8");
  return new Set([...table.matchAll(/^ *([^ |:]+):/gm)].map(([, name = ""]) => name));
}

/** Files of the suite's, or of the program's, in the folders where programs leave things. */
export function straysNow(): Set<string> {
  const folders = ["/run", "/tmp", "/var/tmp", "/var/lib", "/var/run/netns", "/dev/shm", "/dev/mqueue"];
  const found = folders.flatMap((folder) =>
    quietly(() => readdirSync(folder), [])
      .filter((name) => /mydocker/.test(name) && !name.startsWith("mydocker-test-"))
      .map((name) => `${folder}/${name}`),
  );
  return new Set(found);
}

/** How the machine was when the suite began. */
export const BEFORE = { namespaces: namespacesNow(), links: linksNow(), strays: straysNow() };

/** What of ours is on the machine now; processes, the dearest look, only where there is nothing else. */
export function leftovers(): string[] {
  const things = [...mountsLeft(), ...cgroupsLeft(), ...foldersLeft()];
  return things.length > 0 ? things : processesLeft();
}
