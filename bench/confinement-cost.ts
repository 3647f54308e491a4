/**
 * What confinement costs: `run` with all of it and with none, and system calls under each engine's filter.
 *
 *   npx bun bench/confinement-cost.ts [--rounds N] [--calls N] [--json] [--binary FILE]
 */
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { compilePrograms } from "./confine/programs.ts";
import { attempt, runIn, type Subject } from "./confine/subject.ts";
import type { Site } from "./engine.ts";
import { docker, type FoundFull, type FullEngine, mydocker, podman } from "./full.ts";
import {
  type Case,
  Interrupted,
  interruptible,
  interruption,
  output,
  shuffled,
  summary,
  timeGroup,
} from "./measure.ts";
import { jsonOf, type Section, textOf } from "./report.ts";
import { startDockerd } from "./servers.ts";
import { openSite } from "./site.ts";

const UNFILTERED = ["--security-opt", "seccomp=unconfined"];
const OPEN = [...UNFILTERED, "--security-opt", "systempaths=unconfined"];

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "100" },
    calls: { type: "string", default: "1000000" },
    json: { type: "boolean", default: false },
    binary: { type: "string", default: `${import.meta.dir}/../dist/mydocker` },
  },
});
const rounds = Number(options.rounds);
const calls = Number(options.calls);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`bad number of rounds: ${options.rounds}`);
if (!Number.isInteger(calls) || calls < 1) throw new Error(`bad number of calls: ${options.calls}`);

/** The same program, started with everything that is on by default, with its parts off, and with all of it off. */
async function timeRuns(engine: FullEngine, site: Site): Promise<Section> {
  say("run, confined and not");
  const of = (name: string, ...flags: readonly string[]): Case => ({
    ...engine.runWith(["--rm", ...flags], ["true"]),
    ...{ name, settle: engine.settle },
  });
  const cases = [
    of("mydocker"),
    of("no filter", ...UNFILTERED),
    of("no filter, no masks", ...OPEN),
    // many devices more to make, so it is no lower bound
    of("--privileged", "--privileged"),
  ];
  return {
    title: "run --rm --network none busybox true: all confinement against none",
    unit: "ms",
    rows: await timeGroup(cases, rounds, site.log),
    base: "no filter, no masks",
    aim: { most: 1, of: "difference" },
  };
}

interface Loop {
  readonly name: string;
  readonly subject: Subject;
  readonly flags: readonly string[];
  readonly samples: Map<string, number[]>;
}

/** Loops of system calls in a container of each, in alternating rounds; each round's figure is the least of a few. */
async function timeCalls(subjects: readonly Subject[]): Promise<Section[]> {
  const loops = subjects.flatMap((subject): Loop[] => {
    const own = { subject, name: subject.title, flags: [], samples: new Map<string, number[]>() };
    if (subject.name !== "mydocker") return [own];
    return [own, { ...own, name: "no filter", flags: UNFILTERED, samples: new Map() }];
  });
  for (let round = 0; round < Math.max(3, Math.ceil(rounds / 10)); round++) {
    say(`system calls, round ${round + 1}`);
    // who comes first finds the machine as the one before has left it
    for (const loop of shuffled(loops)) {
      const text = await interruptible(() =>
        attempt(() => runIn(loop.subject, loop.flags, "loop", `${calls}`)),
      );
      if (typeof text !== "string") throw new Error(`${loop.name}: ${text.missing}`);
      for (const line of text.trim().split("\n")) {
        const [name = "", nanoseconds = ""] = line.split("\t");
        loop.samples.set(name, [...(loop.samples.get(name) ?? []), Number(nanoseconds)]);
      }
    }
  }
  const titles = { getppid: "allowed by its number", personality: "allowed by its argument" };
  return Object.entries(titles).map(([call, how]) => ({
    title: `a system call that is ${how}: ${call}`,
    unit: "ns" as const,
    rows: loops.map(({ name, samples }) => summary(name, samples.get(call) ?? [])),
    base: "no filter",
  }));
}

async function findDocker(site: Site): Promise<FoundFull> {
  if (!Bun.which("dockerd")) return { name: "docker", missing: "no dockerd (apt-get install docker.io)" };
  process.env.DOCKER_HOST = (await startDockerd(site)).address;
  return docker(site);
}

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error("containers need root");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      interruption.seen = true;
    });
  const site = openSite(options.binary);
  try {
    const ours = mydocker(options.binary, site);
    if ("missing" in ours) throw new Error(ours.missing);
    const flags = compilePrograms(site, ["loop"]);
    const sections = [await timeRuns(ours, site)];
    const found = [ours, await findDocker(site), podman(site)];
    const missing = found.flatMap((one) => ("missing" in one ? [one] : []));
    const subjects = found.flatMap((engine): Subject[] =>
      "missing" in engine ? [] : [{ title: engine.name, name: engine.name, engine, flags }],
    );
    sections.push(...(await timeCalls(subjects)));
    const about = {
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus().length} × ${cpus()[0]?.model ?? process.arch}, Linux ${release()}`,
      load: output({ argv: ["cat", "/proc/loadavg"] }).trim(),
      rounds: `${rounds}, alternating; ns: the least of 7 loops of ${calls} calls in each round`,
    };
    const report = { about, missing, sections };
    process.stdout.write(options.json ? jsonOf(report) : textOf(report));
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
