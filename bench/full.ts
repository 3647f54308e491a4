import { existsSync } from "node:fs";
import { type Engine, type Found, type Site, SLEEP } from "./engine.ts";
import { type Command, output, start } from "./measure.ts";

/** A full engine, or why there is none. */
export type FoundFull = FullEngine | Exclude<Found, Engine>;

/** How one Docker-like command line differs from the next. */
interface Dialect {
  readonly name: string;
  readonly settle: number;
  /** The program with its global options. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What `run` needs besides `--network none`. */
  readonly runOptions: readonly string[];
  readonly image: string;
  readonly namePrefix: string;
  readonly remove: readonly string[];
  readonly version: readonly string[];
}

/** An engine that has images too. */
export interface FullEngine extends Engine {
  /** The program with these arguments behind its global options. */
  call(...args: readonly string[]): Command;
  /** `run --rm IMAGE true`, without network. */
  runOf(image: string): Command;
  /** `run FLAGS` of the benchmark's image, without network unless the flags say which. */
  runWith(flags: readonly string[], program: readonly string[]): Command;
}

function engineOf(dialect: Dialect, site: Site): FullEngine {
  const call = (...args: readonly string[]): Command => ({
    argv: [...dialect.program, ...args],
    env: dialect.env,
  });
  const runImage = (image: string, ...args: readonly string[]): Command =>
    call("run", ...args, "--network", "none", ...dialect.runOptions, image);
  const run = (...args: readonly string[]): Command => runImage(dialect.image, ...args);
  const runOf = (image: string): Command => {
    const command = runImage(image, "--rm");
    return { ...command, argv: [...command.argv, "true"] };
  };
  const runWith = (flags: readonly string[], program: readonly string[]): Command => {
    const network = flags.some((flag) => flag.startsWith("--network")) ? [] : ["--network", "none"];
    return call("run", ...network, ...dialect.runOptions, ...flags, dialect.image, ...program);
  };
  const full = (name: string): string => dialect.namePrefix + name;
  const sleeping = (name: string): Command => {
    started.add(full(name));
    const command = run("-d", "--name", full(name));
    return { ...command, argv: [...command.argv, ...SLEEP] };
  };
  const started = new Set<string>();
  const engine: FullEngine = {
    name: dialect.name,
    settle: dialect.settle,
    call,
    runOf,
    runWith,
    run: runOf(dialect.image),
    runOnNetwork: call("run", "--rm", ...dialect.runOptions, dialect.image, "true"),
    version: { argv: [dialect.program[0] ?? "", ...dialect.version], env: dialect.env },
    list: call("ps"),
    exec: (name) => call("exec", full(name), "true"),
    idle: (name) => {
      start(sleeping(name), site.log);
      return Number(output(call("inspect", "--format", "{{.State.Pid}}", full(name))));
    },
    many: (names) => {
      for (const name of names) start(sleeping(name), site.log);
    },
    clear: () => {
      if (started.size > 0) output(call(...dialect.remove, ...started));
      started.clear();
    },
  };
  site.undo(engine.clear);
  return engine;
}

/** Our own, from a copy: a build meanwhile must not change what is measured. State and runtime folder are ours. */
export function mydocker(program: string, site: Site): FoundFull {
  const name = "mydocker";
  if (!existsSync(program)) return { name, missing: `not built: no ${program} (npx bun run build.ts)` };
  const copy = `${site.folder}/mydocker`;
  output({ argv: ["cp", program, copy] });
  const env = { MYDOCKER_ROOT: `${site.folder}/mydocker-root`, MYDOCKER_RUN: `${site.folder}/mydocker-run` };
  const dialect = {
    ...{ name, settle: 30, program: [copy], env, runOptions: [], image: "busybox", namePrefix: "" },
    ...{ remove: ["rm", "-f"], version: ["version"] },
  };
  return { ...engineOf(dialect, site), stats: { argv: [copy, "stats"], env } };
}

/** Podman with a store of its own. It must not ask for more open files than this process may have. */
export function podman(site: Site): FoundFull {
  const name = "podman";
  const program = Bun.which(name);
  if (!program) return { name, missing: "not installed" };
  const own = `${site.folder}/podman`;
  const folders = ["--root", `${own}/root`, "--runroot", `${own}/run`, "--tmpdir", `${own}/tmp`];
  const options = [...folders, "--cgroup-manager", "cgroupfs"];
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
  output({ argv: [program, ...options, "import", site.tar, "bench"] });
  const dialect = {
    ...{ name, settle: 120, program: [program, ...options], env: {}, image: "bench", namePrefix: "" },
    runOptions: [...limits, "--cgroup-parent", `/${site.prefix}-podman`],
    ...{ remove: ["rm", "-f", "-t", "0"], version: ["--version"] },
  };
  return engineOf(dialect, site);
}

/** Docker, where a daemon answers: its image and containers bear our names and are removed again. */
export function docker(site: Site): FoundFull {
  const name = "docker";
  const program = Bun.which(name);
  if (!program) return { name, missing: "not installed" };
  const host = process.env.DOCKER_HOST;
  const env = { ...(host !== undefined && { DOCKER_HOST: host }) };
  const answer = Bun.spawnSync([program, "version", "--format", "{{.Server.Version}}"], {
    env: { ...process.env },
    stderr: "ignore",
  });
  if (!answer.success) return { name, missing: "installed, but no daemon answers" };
  output({ argv: [program, "import", site.tar, site.prefix], env });
  site.undo(() => output({ argv: [program, "rmi", "-f", site.prefix], env }));
  const dialect = {
    ...{ name, settle: 120, program: [program], env, image: site.prefix, namePrefix: `${site.prefix}-` },
    ...{ runOptions: [], remove: ["rm", "-f"], version: ["--version"] },
  };
  return engineOf(dialect, site);
}
