/**
 * Times what images cost in mydocker and the peers, side by side; see README.md beside this file.
 *
 *   npx bun bench/images.ts [--runs N] [--only load,pull,layers,run,images,memory] [--json] [--binary FILE]
 *                           [--layer FILE.tar.gz] [--without podman,docker]
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { withDisk } from "./disk.ts";
import type { Found } from "./engine.ts";
import { docker, mydocker, podman } from "./full.ts";
import { archive, type Bench, dropped, loadCase, name, pullCase, say, tarCase } from "./image-cases.ts";
import { peakOf } from "./image-memory.ts";
import { type Case, Interrupted, interruption, output, summary, timeGroup } from "./measure.ts";
import { jsonOf, type Section, textOf } from "./report.ts";
import { startDockerd, startRegistry } from "./servers.ts";
import { openSite } from "./site.ts";

const PARTS = ["load", "pull", "layers", "run", "images", "memory"] as const;
type Part = (typeof PARTS)[number];

const COPY = 'cp "$1" "$3" &&';

async function timeLoad(bench: Bench): Promise<Section> {
  say("load");
  const cases = bench.engines.map((engine) => loadCase(bench, engine, "one"));
  cases.push(tarCase(bench, "tar", "", false), tarCase(bench, "cp, tar", COPY, false));
  cases.push(tarCase(bench, "cp, tar, sync", COPY, true));
  const rows = await timeGroup(cases, bench.runs, bench.site.log, 1);
  return {
    title: "load: an archive with the Debian image in one gzip layer (tar: tar -xzf of the layer)",
    ...{ unit: "ms", rows, base: "cp, tar", aim: { most: 1, of: "ratio" } },
  };
}

async function timePull(bench: Bench): Promise<Section> {
  say("pull");
  const digest = new Bun.CryptoHasher("sha256").update(await Bun.file(bench.layer).bytes()).digest("hex");
  const curl = `curl -sSf -o "$3" http://${bench.registry}/v2/bench-one/blobs/sha256:${digest} &&`;
  const cases = bench.engines.map((engine) => pullCase(bench, engine, "one"));
  cases.push(tarCase(bench, "curl, tar", curl, false), tarCase(bench, "curl, tar, sync", curl, true));
  const rows = await timeGroup(cases, bench.runs, bench.site.log, 1);
  return {
    title: "pull: the same from docker-registry over loopback (curl, tar: curl -o FILE, tar -xzf FILE)",
    ...{ unit: "ms", rows, base: "curl, tar", aim: { most: 1, of: "ratio" } },
  };
}

async function timeLayers(bench: Bench): Promise<Section[]> {
  say("layers");
  const pairs = (make: typeof loadCase): Case[] =>
    bench.engines.flatMap((engine) => [
      make(bench, engine, "ten", `${engine.name}, 10 layers`),
      make(bench, engine, "one", `${engine.name}, 1 layer`),
    ]);
  const sections: Section[] = [];
  for (const [verb, make] of [
    ["load", loadCase],
    ["pull", pullCase],
  ] as const) {
    const rows = await timeGroup(pairs(make), bench.runs, bench.site.log, 1);
    const title = `${verb}: the same files in 10 gzip layers`;
    sections.push({
      ...{ title, unit: "ms", rows, base: "mydocker, 1 layer", aim: { most: 1, of: "ratio" } },
    });
  }
  return sections;
}

async function timeRun(bench: Bench): Promise<Section> {
  say("run");
  for (const engine of bench.engines)
    for (const image of ["hundred", "base"] as const)
      output(engine.call("load", "-q", "-i", archive(bench, image)));
  const cases = bench.engines.flatMap((engine): Case[] => [
    { ...engine.runOf(name("hundred")), name: `${engine.name}, 100 layers`, settle: engine.settle },
    { ...engine.runOf(name("base")), name: `${engine.name}, 1 layer`, settle: engine.settle },
  ]);
  const rows = await timeGroup(cases, bench.runs * 5, bench.site.log);
  for (const engine of bench.engines) dropped(engine, name("hundred"), name("base"));
  return {
    title: "run --rm --network none IMAGE true",
    ...{ unit: "ms", rows, base: "mydocker, 1 layer", aim: { most: 2, of: "difference" } },
  };
}

async function timeImages(bench: Bench): Promise<Section> {
  say("images");
  for (const engine of bench.engines) output(engine.call("load", "-q", "-i", archive(bench, "many")));
  const cases = bench.engines.map(
    (engine): Case => ({ ...engine.call("images"), name: engine.name, settle: 20 }),
  );
  const rows = await timeGroup(cases, bench.runs * 5, bench.site.log);
  for (const engine of bench.engines)
    dropped(engine, ...Array.from({ length: 500 }, (_, i) => name(`many${i}`)));
  return {
    title: "images, 500 images",
    ...{ unit: "ms", rows, aim: { most: 15, of: "median" } },
  };
}

async function measureMemory(bench: Bench): Promise<Section> {
  say("memory");
  const rows = [];
  for (const engine of bench.engines) {
    const also = engine.name === "docker" && bench.daemon !== undefined ? [bench.daemon] : [];
    const one =
      (verb: string, { before, ...command }: Case): (() => Promise<[string, number]>) =>
      async () => {
        before?.();
        return [`${engine.name}, ${verb}`, await peakOf(command, also)];
      };
    const huge = archive(bench, "huge");
    const jobs = [
      one("load", loadCase(bench, engine, "one")),
      one("load, 10 layers", loadCase(bench, engine, "ten")),
      one("load, a layer of 2.1 GB", {
        ...engine.call("load", "-q", "-i", huge),
        ...{ name: "", settle: 0, before: () => dropped(engine, name("huge")) },
      }),
      one("pull", pullCase(bench, engine, "one")),
      one("pull, 10 layers", pullCase(bench, engine, "ten")),
    ];
    for (const job of jobs) {
      const seen: [string, number][] = [];
      for (let i = 0; i < Math.min(3, bench.runs); i++) seen.push(await job());
      rows.push(
        summary(
          seen[0]?.[0] ?? "",
          seen.map(([, most]) => most),
        ),
      );
    }
    dropped(engine, name("huge"), name("one"), name("ten"));
  }
  // the largest of mydocker's is what the aim is about
  rows.sort(
    (a, b) =>
      Number(b.name.startsWith("mydocker")) - Number(a.name.startsWith("mydocker")) || b.median - a.median,
  );
  return {
    title: "memory: the peak of anonymous memory of all processes (docker: with its daemon)",
    ...{ unit: "kB", rows, aim: { most: 150_000, of: "median" } },
  };
}

/** Pushes both images with our own program, which keeps their layers' bytes as they are. */
function fillRegistry(bench: Bench): void {
  const own = bench.engines.find((engine) => engine.name === "mydocker");
  if (own === undefined) throw new Error("mydocker is needed to fill the registry");
  for (const image of ["one", "ten"] as const) {
    const reference = `${bench.registry}/bench-${image}:1`;
    output(own.call("load", "-q", "-i", archive(bench, image)));
    output(own.call("tag", name(image), reference));
    output(own.call("push", "-q", reference));
    dropped(own, name(image), reference);
  }
}

async function measure(bench: Bench, parts: ReadonlySet<Part>): Promise<Section[]> {
  const sections: Section[] = [];
  if (bench.registry !== undefined) fillRegistry(bench);
  if (parts.has("load")) sections.push(await timeLoad(bench));
  if (parts.has("pull")) sections.push(await timePull(bench));
  if (parts.has("layers")) sections.push(...(await timeLayers(bench)));
  if (parts.has("run")) sections.push(await timeRun(bench));
  if (parts.has("images")) sections.push(await timeImages(bench));
  if (parts.has("memory")) sections.push(await measureMemory(bench));
  return sections;
}

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "5" },
      only: { type: "string", default: PARTS.join(",") },
      without: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      binary: { type: "string", default: `${import.meta.dir}/../dist/mydocker` },
      layer: { type: "string", default: "/var/cache/mydocker-test/debian.tar.gz" },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`bad number of runs: ${values.runs}`);
  const asked = values.only.split(",");
  const parts = new Set(PARTS.filter((part) => asked.includes(part)));
  if (parts.size !== asked.length) throw new Error(`--only takes some of ${PARTS.join(",")}`);
  if (!existsSync(values.layer)) throw new Error(`there is no ${values.layer}`);
  return { ...values, runs, parts, without: values.without.split(",") };
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (process.getuid?.() !== 0) throw new Error("containers need root");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      interruption.seen = true;
    });
  const outer = openSite(options.binary);
  try {
    const site = withDisk(outer);
    const isWanted = (engine: string): boolean => !options.without.includes(engine);
    const dockerd = isWanted("docker") && Bun.which("dockerd") ? await startDockerd(site) : undefined;
    if (dockerd !== undefined) process.env.DOCKER_HOST = dockerd.address;
    const found = [mydocker(options.binary, site)];
    if (isWanted("podman")) found.push(podman(site));
    if (isWanted("docker")) found.push(docker(site));
    const engines = found.flatMap((one) => ("missing" in one ? [] : [one]));
    const missing = found.flatMap((one: Found) => ("missing" in one ? [one] : []));
    const pulls = ["pull", "layers", "memory"].some((part) => options.parts.has(part as Part));
    const registry = pulls ? await startRegistry(site) : undefined;
    const { runs, layer } = options;
    const bench = { site, engines, runs, layer, registry, daemon: dockerd?.pid };
    const sections = await measure(bench, options.parts);
    const about = { date: new Date().toISOString().slice(0, 10), rounds: `${runs}, alternating` };
    const report = { about, missing, sections };
    process.stdout.write(options.json ? jsonOf(report) : textOf(report));
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say("interrupted");
    return 130;
  } finally {
    outer.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return 1;
});
