import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";

/** Everything of a run of the benchmark lies in these two folders, or has this in its name. */
export const ROOT = "/var/lib/mydocker-bench";
export const RUN = "/run/mydocker-bench";
export const GROUP = "mydocker-bench-side";
export const FLOOR_PROGRAM = `${ROOT}/floor`;
export const MYDOCKER = `${ROOT}/mydocker`;
export const LAYER = `${ROOT}/rootfs`;

const ENVIRONMENT = { ...process.env, MYDOCKER_ROOT: ROOT, MYDOCKER_RUN: RUN };

/** Floors that did not end well, and may have left their groups. */
const brokenFloors = new Set<number>();

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command to its end and keeps what it says. */
export function call(command: readonly string[], cwd = "/"): Outcome {
  try {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
      cwd,
      env: ENVIRONMENT,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    return { code: exitCode, out: stdout.toString().trim(), error: stderr.toString().trim() };
  } catch (error) {
    return { code: 127, out: "", error: error instanceof Error ? error.message : String(error) };
  }
}

/** The same where failing is the end of the benchmark; returns its output. */
export function mustCall(command: readonly string[], cwd = "/"): string {
  const { code, out, error } = call(command, cwd);
  if (code !== 0) throw new Error(`${command.join(" ")}: exit code ${code}: ${error || out}`);
  return out;
}

/** The milliseconds that a whole process takes, from its start to its being reaped; undefined where it fails. */
export function time(command: readonly string[]): number | undefined {
  const argv = [...command];
  const start = performance.now();
  const { exitCode, pid } = Bun.spawnSync(argv, {
    cwd: "/",
    env: ENVIRONMENT,
    stdio: ["ignore", "ignore", "ignore"],
  });
  const end = performance.now();
  if (exitCode !== 0 && argv[0] === FLOOR_PROGRAM) brokenFloors.add(pid);
  return exitCode === 0 ? end - start : undefined;
}

/** Makes the two folders, the floor, and a copy of the program that a rebuild does not change under our feet. */
export function prepare(): void {
  const project = `${import.meta.dir}/../..`;
  const built = `${project}/dist/mydocker`;
  if (!existsSync(built)) throw new Error("dist/mydocker is missing: npx bun run build.ts");
  if (process.getuid?.() !== 0) throw new Error("containers are made by root: run this as root");
  cleanUp();
  mkdirSync(ROOT, { recursive: true, mode: 0o700 });
  mkdirSync(RUN, { recursive: true, mode: 0o700 });
  mustCall(["cp", built, MYDOCKER]);
  const strict = ["-O2", "-static", "-Wall", "-Wextra", "-Werror"];
  mustCall(["gcc", ...strict, "-o", FLOOR_PROGRAM, `${import.meta.dir}/floor.c`]);
  // the first run unpacks the image that is in the program
  mustCall([MYDOCKER, "run", "--rm", "--network", "none", "busybox", "true"]);
  const layer = readdirSync(`${ROOT}/layers`)[0];
  if (layer === undefined) throw new Error(`${ROOT}/layers is empty`);
  mustCall(["cp", "-a", `${ROOT}/layers/${layer}`, LAYER]);
}

/** Kills and removes our containers, and then whatever an interrupted run has left. */
export function cleanUp(): void {
  if (existsSync(MYDOCKER)) {
    const ids = call([MYDOCKER, "ps", "-aq"]).out.split("\n").filter(Boolean);
    for (let at = 0; at < ids.length; at += 50) call([MYDOCKER, "rm", "-f", ...ids.slice(at, at + 50)]);
  }
  for (const target of mountsOfOurs()) call(["umount", "-l", target]);
  removeGroups();
  // a mount that stayed would lose its files here
  const left = mountsOfOurs();
  if (left.length > 0) throw new Error(`still mounted: ${left.join(" ")}`);
  for (const folder of [ROOT, RUN]) rmSync(folder, { recursive: true, force: true });
}

function mountsOfOurs(): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((target) => target.startsWith(`${ROOT}/`) || target.startsWith(`${RUN}/`))
    .reverse();
}

/** Only empty groups can be removed, and only those that this run, or an earlier one, has named. */
function removeGroups(): void {
  const names = [...brokenFloors].map((pid) => `mydocker-floor-${pid}`);
  for (const runtime of ["crun", "runc"]) names.push(`${GROUP}-${runtime}`, `${GROUP}-${runtime}-idle`);
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, top = "", type = ""] = line.split(" ");
    if (!type.startsWith("cgroup")) continue;
    for (const name of names) {
      try {
        rmdirSync(`${top}/${name}`);
      } catch {
        // not there, or a process is in it still
      }
    }
  }
}

/** The parent of a process, from /proc/<pid>/stat (proc(5)). */
export function parentOf(pid: string): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? "";
}

/** The private dirty memory of a process in kB. */
export function privateDirty(pid: string): number {
  const match = /^Private_Dirty:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  if (!match) throw new Error(`/proc/${pid}/smaps_rollup has no Private_Dirty`);
  return Number(match[1]);
}
