import { existsSync } from "node:fs";
import type { Site } from "./engine.ts";
import type { FullEngine } from "./full.ts";
import { hugeLayer, layerOf, makeArchive, smallLayer, splitTar } from "./image-material.ts";
import { type Case, output } from "./measure.ts";

/** The images' names everywhere; where they are pulled from is put before them. */
export const name = (image: string): string => `localhost/bench-${image}:1`;

export interface Bench {
  readonly site: Site;
  readonly engines: readonly FullEngine[];
  readonly runs: number;
  readonly layer: string;
  /** The pid of Docker's daemon, where there is one. */
  readonly daemon: number | undefined;
  /** The registry, where one is needed; `one` and `ten` are in it. */
  readonly registry: string | undefined;
}

export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** Writes out what the one before has left to be written, so that it does not hit its neighbour. */
function settleDisk(): void {
  output({ argv: ["sync"] });
}

/** An image's archive in the site's folder; made when it is first asked for. */
export function archive(
  { site, layer }: Pick<Bench, "site" | "layer">,
  image: keyof typeof ARCHIVES,
): string {
  const path = `${site.folder}/${image}.tar`;
  if (existsSync(path)) return path;
  say(`making the archive '${image}'`);
  ARCHIVES[image](path, site, layer);
  return path;
}

const ARCHIVES = {
  one: (path: string, _: Site, layer: string): void =>
    makeArchive(path, [{ name: name("one"), layers: [layerOf(layer)] }]),
  ten: (path: string, { folder }: Site, layer: string): void => {
    const plain = `${folder}/plain.tar`;
    output({ argv: ["sh", "-c", 'gzip -dc "$1" > "$2"', "sh", layer, plain] });
    makeArchive(path, [{ name: name("ten"), layers: splitTar(plain, 10, folder) }]);
  },
  base: (path: string, { tar }: Site): void =>
    makeArchive(path, [{ name: name("base"), layers: [layerOf(tar)] }]),
  hundred: (path: string, { folder, tar }: Site): void => {
    const more = Array.from({ length: 99 }, (_, i) => smallLayer(`${folder}/small${i}.tar`, `small${i}`));
    makeArchive(path, [{ name: name("hundred"), layers: [layerOf(tar), ...more] }]);
  },
  many: (path: string, { tar }: Site): void => {
    const layers = [layerOf(tar)];
    const start = Date.parse("2026-01-01T00:00:00Z");
    const images = Array.from({ length: 500 }, (_, i) => ({
      ...{ name: name(`many${i}`), layers },
      created: new Date(start + i * 3_600_000).toISOString(),
    }));
    makeArchive(path, images);
  },
  huge: (path: string, { folder }: Site, layer: string): void =>
    makeArchive(path, [{ name: name("huge"), layers: [hugeLayer(`${folder}/huge.gz`, layer, 10)] }]),
};

export function dropped(engine: FullEngine, ...images: readonly string[]): void {
  // there may be none
  Bun.spawnSync([...engine.call("rmi", "-f", ...images).argv], {
    env: { ...process.env, ...engine.call().env },
    stdio: ["ignore", "ignore", "ignore"],
  });
}

/** Takes both images out of the engine's store, by whatever name they are there: else their layers would be there too. */
function emptied({ registry }: Bench, engine: FullEngine): void {
  for (const image of ["one", "ten"]) {
    dropped(engine, name(image));
    if (registry !== undefined) dropped(engine, `${registry}/bench-${image}:1`);
  }
}

export function loadCase(bench: Bench, engine: FullEngine, image: "one" | "ten", named = engine.name): Case {
  return {
    ...engine.call("load", "-q", "-i", archive(bench, image)),
    ...{ name: named, settle: engine.settle },
    before: () => {
      emptied(bench, engine);
      settleDisk();
    },
  };
}

export function pullCase(bench: Bench, engine: FullEngine, image: "one" | "ten", named = engine.name): Case {
  const reference = `${bench.registry}/bench-${image}:1`;
  const insecure = engine.name === "podman" ? ["--tls-verify=false"] : [];
  return {
    ...engine.call("pull", "-q", ...insecure, reference),
    ...{ name: named, settle: engine.settle },
    before: () => {
      emptied(bench, engine);
      settleDisk();
    },
  };
}

/** What tar alone takes for the layer, behind something that brings it. */
export function tarCase({ site, layer }: Bench, named: string, bring: string, synced: boolean): Case {
  const target = `${site.folder}/tree`;
  const file = bring === "" ? layer : `${site.folder}/brought.gz`;
  const script = `${bring} tar -xzf "$3" -C "$2"${synced ? ' && sync -f "$2"' : ""}`;
  return {
    name: named,
    settle: 30,
    argv: ["sh", "-c", script, "sh", layer, target, file],
    before: () => {
      output({ argv: ["rm", "-rf", target, `${site.folder}/brought.gz`] });
      output({ argv: ["mkdir", target] });
      settleDisk();
    },
  };
}
