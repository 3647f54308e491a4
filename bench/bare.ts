import { readFileSync } from "node:fs";
import { makeBundle } from "./bundle.ts";
import { type Engine, type Found, type Site, SLEEP } from "./engine.ts";
import { type Command, output, start } from "./measure.ts";
import { processes } from "./memory.ts";

/** floor.c, compiled into the site's folder. */
export function floor(site: Site): Found {
  const name = "floor";
  if (!Bun.which("gcc")) return { name, missing: "not built: gcc is not installed" };
  const program = `${site.folder}/floor`;
  const warnings = ["-Wall", "-Wextra", "-Werror"];
  const source = `${import.meta.dir}/floor.c`;
  output({ argv: ["gcc", "-std=gnu11", "-O2", "-static", ...warnings, source, "-o", program] });
  const onRootfs = [program, site.rootfs, `${site.folder}/floor-state`];
  const pids: number[] = [];
  let running: { readonly exited: Promise<number> }[] = [];
  const clear = (): void => {
    for (const pid of pids.splice(0)) end(pid);
    running = [];
  };
  site.undo(clear);
  return {
    name,
    settle: 30,
    run: { argv: [...onRootfs, "true"] },
    exec: () => ({ argv: [program, "--exec", String(pids.at(-1)), "true"] }),
    idle: () => {
      const started = Bun.spawn([...onRootfs, ...SLEEP], { stdio: ["ignore", "ignore", "inherit"] });
      running.push(started);
      const pid = childThatRuns(started.pid, "sleep");
      pids.push(pid);
      return pid;
    },
    clear,
  };
}

/** Kills the first process of a container of the floor, and waits until the floor has cleaned up behind it. */
function end(pid: number): void {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  process.kill(pid, "SIGKILL");
  waitUntil(() => !/^State:\s+[^Z]/m.test(textOf(`/proc/${parent}/status`)), `process ${parent} to end`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function waitUntil(done: () => boolean, what: string): void {
  for (let i = 0; i < 1000; i++) {
    if (done()) return;
    Bun.sleepSync(5);
  }
  throw new Error(`waited in vain for ${what}`);
}

function childThatRuns(parent: number, program: string): number {
  let child = 0;
  waitUntil(() => {
    child = [...processes()].find(([, of]) => of === parent)?.[0] ?? 0;
    return child > 0 && textOf(`/proc/${child}/comm`).trim() === program;
  }, `the floor's ${program}`);
  return child;
}

/** crun or runc by itself, on bundles made beforehand: no image, no overlay, no log. */
export function runtime(name: "crun" | "runc", site: Site): Found {
  const program = Bun.which(name);
  if (!program) return { name, missing: "not installed" };
  const cgroup = `${site.prefix}-${name}`;
  const ready = makeBundle(`${site.folder}/${name}-run`, site.rootfs, cgroup, ["true"]);
  const sleeping = makeBundle(`${site.folder}/${name}-idle`, site.rootfs, `${cgroup}-idle`, SLEEP);
  const call = (...args: readonly string[]): Command => ({
    argv: [program, "--root", `${site.folder}/${name}-state`, ...args],
  });
  const started = new Set<string>();
  const engine: Engine = {
    name,
    settle: 30,
    run: call("run", "--bundle", ready, `${cgroup}-run`),
    version: call("--version"),
    list: call("list"),
    exec: (container) => call("exec", container, "true"),
    idle: (container) => {
      started.add(container);
      start(call("run", "--detach", "--bundle", sleeping, container), site.log);
      const { pid } = JSON.parse(output(call("state", container))) as { pid: number };
      return pid;
    },
    clear: () => {
      for (const container of started) output(call("delete", "--force", container));
      started.clear();
    },
  };
  site.undo(engine.clear);
  return engine;
}
