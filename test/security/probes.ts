/** The small programs that attack from within a container: probes/*.c, compiled when a test first wants one. */
import { existsSync } from "node:fs";
import { mydocker, ok, type Result, SLOW, scratch, statusField } from "../e2e/harness.ts";

const SOURCES = new URL("probes", import.meta.url).pathname;
let folder: string | undefined;

/** gcc is slow in the virtual machine: its results are kept until the folder goes. */
function compile(name: string, target: string, ...options: string[]): void {
  if (existsSync(target)) return;
  const command = ["gcc", "-O1", "-Wall", "-Wextra", "-o", target, ...options, `${SOURCES}/${name}.c`];
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}

/** The folder on the host with these probes in it, as static programs. */
export function probes(...names: readonly string[]): string {
  if (folder === undefined || !existsSync(folder)) folder = scratch();
  for (const name of names) compile(name, `${folder}/${name}`, "-static");
  return folder;
}

/** The program that stands in for a container's loader. */
export function loader(): string {
  const options = ["-nostdlib", "-static-pie", "-fPIE", "-fno-stack-protector", "-fno-builtin"];
  const path = `${probes("overwrite")}/loader`;
  compile("loader", path, ...options);
  return path;
}

/** A shared library that leaves a line in `marker` wherever it is loaded. */
export function marking(marker: string): string {
  const path = `${probes()}/marker-${marker.replaceAll("/", "-")}.so`;
  compile("marker", path, "-shared", "-fPIC", `-DMARKER="${marker}"`);
  return path;
}

/** Options of `run` for a container that has these probes in /probes, and no network. */
export function withProbes(...names: readonly string[]): string[] {
  return ["--network", "none", "-v", `${probes(...names)}:/probes:ro`];
}

/** The lines `NAME NUMBER` that a probe prints: errnos by name, 0 for success. */
export function results(text: string): Record<string, number> {
  const pairs = text.split("\n").filter((line) => line !== "");
  return Object.fromEntries(pairs.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
}

/** What a line of the shell in a new busybox says, whether it ends well or not. */
export async function inside(line: string, ...options: readonly string[]): Promise<Result> {
  return mydocker(["run", "--rm", "--network", "none", ...options, "busybox", "sh", "-c", line]);
}

/** The same where it must end well: its output. */
export async function says(line: string, ...options: readonly string[]): Promise<string> {
  return ok("run", "--rm", "--network", "none", ...options, "busybox", "sh", "-c", line);
}

/** Waits for a program's end, and says how many bytes of memory it held at most, as far as that could be seen. */
export async function memoryOf(child: Bun.Subprocess): Promise<number> {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, Number.parseInt(statusField(child.pid, "VmHWM"), 10) * 1024 || 0);
  };
  const timer = setInterval(look, 10);
  await child.exited;
  clearInterval(timer);
  return most;
}

/** Of many ways to try the same, the slow machine takes every third. */
export function some<T>(ways: readonly T[]): readonly T[] {
  return SLOW ? ways.filter((_, at) => at % 3 === 0) : ways;
}
