/**
 * Times mydocker, the floor and the peers side by side; see README.md beside this file.
 *
 *   npx bun bench/run.ts [--runs N] [--quick] [--many [N]] [--json] [--binary FILE]
 */
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { floor, runtime } from "./bare.ts";
import { timeCgroups } from "./cgroups.ts";
import { emptyProgram } from "./empty.ts";
import type { Engine, Found, Site } from "./engine.ts";
import { docker, mydocker, podman } from "./full.ts";
import {
  type Case,
  Interrupted,
  interruptible,
  interruption,
  output,
  type Result,
  summary,
  timeGroup,
} from "./measure.ts";
import { heldBy, processes } from "./memory.ts";
import { jsonOf, type Section, textOf } from "./report.ts";
import { openSite } from "./site.ts";
import { timeFrames } from "./stats.ts";

/** The container that exec and ps are timed with. */
const ONE = "one";

interface Options {
  readonly runs: number;
  /** How many containers `ps` is timed with besides one; 0 for not at all. */
  readonly many: number;
  readonly idle: number;
  readonly json: boolean;
  readonly binary: string;
}

interface Bench {
  readonly site: Site;
  readonly engines: readonly Engine[];
  readonly options: Options;
}

function readOptions(args: readonly string[]): Options {
  // --many may stand without a number
  const complete = args.flatMap((arg, i) =>
    arg === "--many" && !/^\d+$/.test(args[i + 1] ?? "") ? [arg, "500"] : [arg],
  );
  const { values } = parseArgs({
    args: complete,
    options: {
      runs: { type: "string" },
      many: { type: "string", default: "0" },
      binary: { type: "string", default: `${import.meta.dir}/../dist/mydocker` },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs ?? (values.quick ? 10 : 50));
  const many = Number(values.many);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`bad number of runs: ${values.runs}`);
  if (!Number.isInteger(many)) throw new Error(`bad number of containers: ${values.many}`);
  return { runs, many, idle: values.quick ? 2 : 5, json: values.json, binary: values.binary };
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

async function timeRun({ site, engines, options }: Bench): Promise<Section> {
  say("run");
  const cases = engines.map(({ name, settle, run }): Case => ({ ...run, name, settle }));
  const rows = await timeGroup(cases, options.runs, site.log);
  const title = "run --rm --network none busybox true (crun, runc: a ready bundle)";
  return { title, unit: "ms", rows, base: "floor", aim: { most: 2.2, of: "ratio" } };
}

/** With the network that is there by itself; the floor has none. */
async function timeNetworks({ site, engines, options }: Bench): Promise<Section> {
  say("run on the default network");
  const cases = engines.flatMap(({ name, settle, run, runOnNetwork }): Case[] => {
    if (name === "floor") return [{ ...run, name, settle }];
    if (!runOnNetwork) return [];
    const without = name === "mydocker" ? [{ ...run, name: "without network", settle }] : [];
    return [{ ...runOnNetwork, name, settle }, ...without];
  });
  const rows = await timeGroup(cases, options.runs, site.log);
  const title = "run --rm busybox true, on the default network";
  return { title, unit: "ms", rows, base: "floor", aim: { most: 3, of: "ratio" } };
}

/** exec and ps are timed with one idle container in each engine. */
async function timeWithOne({ site, engines, options }: Bench): Promise<Section[]> {
  say("exec, ps");
  for (const engine of engines) await interruptible(() => engine.idle(ONE));
  const execs = engines.map((engine): Case => ({ ...engine.exec(ONE), name: engine.name, settle: 30 }));
  const exec = await timeGroup(execs, options.runs, site.log);
  const ps = await timeGroup(lists(engines), options.runs, site.log);
  for (const engine of engines) engine.clear();
  return [
    { title: "exec CONTAINER true", unit: "ms", rows: exec, base: "floor", aim: { most: 8, of: "median" } },
    {
      title: "ps, 1 container (crun, runc: list)",
      ...{ unit: "ms", rows: ps, aim: { most: 7, of: "median" } },
    },
  ];
}

function lists(engines: readonly Engine[]): Case[] {
  return engines.flatMap(({ name, list }) => (list ? [{ ...list, name, settle: 20 }] : []));
}

async function timeWithMany({ site, engines, options }: Bench): Promise<Section[]> {
  const able = engines.filter((engine) => engine.many && engine.list);
  for (const engine of able) {
    say(`starting ${options.many} containers in ${engine.name}`);
    for (let i = 0; i < options.many; i++) await interruptible(() => engine.many?.([`many${i}`]));
  }
  const ps = await timeGroup(lists(able), options.runs, site.log);
  const stats: Result[] = [];
  for (const { name, stats: command } of able)
    if (command) stats.push(summary(name, [await timeFrames(command, 10), await timeFrames(command, 10)]));
  for (const engine of able) engine.clear();
  return [
    { title: `ps, ${options.many} containers`, unit: "ms", rows: ps, aim: { most: 15, of: "median" } },
    {
      title: `stats, ${options.many} containers: CPU time of one frame`,
      // 100 ms for 200 containers
      ...{ unit: "ms", rows: stats, aim: { most: options.many / 2, of: "median" } },
    },
  ];
}

async function timeStartUp({ site, engines, options }: Bench): Promise<Section> {
  say("start-up");
  const spawn: Case = { name: "/bin/true", argv: ["/bin/true"], settle: 20 };
  const empty: Case = { ...(await emptyProgram(site)), name: "empty (Bun)", settle: 20 };
  const cases = engines.flatMap(({ name, version }) => (version ? [{ ...version, name, settle: 20 }] : []));
  const rows = await timeGroup([spawn, empty, ...cases], options.runs, site.log);
  return {
    title: "start-up: version (and what spawning a process, and an empty Bun program, cost by themselves)",
    unit: "ms",
    rows,
  };
}

async function measureMemory({ engines, options }: Bench): Promise<Section> {
  say("memory");
  const able = engines.filter((engine) => engine.many);
  const rows = [];
  for (const engine of able) {
    const held = [];
    for (let i = 0; i < options.idle; i++) {
      const before = processes();
      const pid = await interruptible(() => engine.idle(`idle${i}`));
      await Bun.sleep(500);
      held.push(heldBy(pid, before));
    }
    engine.clear();
    const own = summary(
      "",
      held.map((one) => one.container),
    ).median;
    const names = [...new Set(held.flatMap((one) => one.names))].join(", ");
    const note = `${names || "no process"}; the container's own: ${own} kB`;
    rows.push({
      ...summary(
        engine.name,
        held.map((one) => one.host),
      ),
      note,
    });
  }
  const title = "memory of an idle container: Private_Dirty of what stays on the host's side";
  return { title, unit: "kB", rows, aim: { most: 512, of: "median" } };
}

function facts({ engines, options }: Bench): Record<string, string> {
  const versions = engines.flatMap(({ name, version }) => {
    const words = version ? output(version).split("\n")[0] : undefined;
    return words === undefined ? [] : [words.startsWith(name) ? words : `${name} ${words}`];
  });
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? process.arch}, Linux ${release()}`,
    versions: versions.join("; "),
    rounds: `${options.runs}, alternating; ms of wall clock around the whole process`,
  };
}

async function measure(bench: Bench, missing: Exclude<Found, Engine>[]): Promise<string> {
  const sections = [await timeStartUp(bench), await timeRun(bench), await timeNetworks(bench)];
  sections.push(...(await timeWithOne(bench)));
  if (bench.options.many > 0) sections.push(...(await timeWithMany(bench)));
  sections.push(timeCgroups(200));
  sections.push(await measureMemory(bench));
  const report = { about: facts(bench), missing, sections };
  return bench.options.json ? jsonOf(report) : textOf(report);
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (process.getuid?.() !== 0) throw new Error("containers need root");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      interruption.seen = true;
    });
  const site = openSite(options.binary);
  try {
    const found = [mydocker(options.binary, site), floor(site), runtime("crun", site), runtime("runc", site)];
    found.push(podman(site), docker(site));
    const engines = found.flatMap((one) => ("missing" in one ? [] : [one]));
    const missing = found.flatMap((one) => ("missing" in one ? [one] : []));
    process.stdout.write(await measure({ site, engines, options }, missing));
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say("interrupted");
    return 130;
  } finally {
    site.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return 1;
});
