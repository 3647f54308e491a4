/**
 * Mutated documents of images, by a seed: each is taken, or refused with one line of ours, soon, and nothing is written outside
 * of the store. MYDOCKER_FUZZ sets the number of rounds, MYDOCKER_FUZZ_SEED the first seed; a failure names the seed that makes
 * it again.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { missing } from "../../src/image/archive/files.ts";
import { loadImages } from "../../src/image/archive/load.ts";
import { readArchive } from "../../src/image/archive/read.ts";
import { type HeldBlob, putBlob } from "../../src/image/blob-writer.ts";
import { MEDIA, parseDocument, parseList, parseManifest } from "../../src/image/document.ts";
import { hostPlatform, selectPlatform } from "../../src/image/platform.ts";
import { SILENT } from "../../src/image/progress.ts";
import { findImage, listImages } from "../../src/image/store.ts";
import { EngineError } from "../../src/linux/errors.ts";
import {
  blob,
  bytesOf,
  describe as descriptorOf,
  imageOf,
  loadBytes,
  manifestOf,
  type Scratch,
  withStore,
} from "./image-support.ts";
import { damaged, mutated, textOf } from "./mutate.ts";
import { isRoot, openBelow, type Part, tarOf } from "./support.ts";
import { Random } from "./tar/fuzz-parts.ts";

const ROUNDS = Number(process.env.MYDOCKER_FUZZ ?? 3000);
const FIRST = Number(process.env.MYDOCKER_FUZZ_SEED ?? 1);
/** So many rounds of those that go through the whole store. */
const WHOLE = Math.ceil(ROUNDS / 8);
const SLOW_MS = 2000;

const layers = [tarOf({ name: "./", type: "5" }, { name: "a", data: "1" }), tarOf({ name: "b", data: "2" })];
const config = {
  ...imageOf(...layers).config,
  author: "somebody",
  variant: "v1",
  config: {
    Cmd: ["/bin/sh"],
    Entrypoint: ["/x"],
    Env: ["A=B"],
    Labels: { a: "b" },
    Volumes: { "/data": {} },
    ExposedPorts: { "80/tcp": {} },
    Healthcheck: { Test: ["NONE"] },
    User: "me",
    WorkingDir: "/w",
    StopSignal: "SIGTERM",
    Shell: ["/bin/sh"],
    OnBuild: ["RUN x"],
  },
  history: [
    { created: "2024-01-02T03:04:05Z", created_by: "x", comment: "y", author: "z", empty_layer: true },
  ],
};
const platform = hostPlatform();
const X = {
  "io.containerd.image.name": "docker.io/library/x:latest",
  "org.opencontainers.image.ref.name": "a/b:c",
};

/** Fails with the seed where `work` throws what a person is not to see, or takes too long; whether it worked. */
async function survives(seed: number, work: () => unknown): Promise<boolean> {
  const start = performance.now();
  let error: unknown;
  try {
    await work();
  } catch (thrown) {
    error = thrown;
  }
  const took = performance.now() - start;
  if (took > SLOW_MS) throw new Error(`seed ${seed}: ${took} ms`);
  if (error === undefined) return true;
  if (!(error instanceof EngineError)) throw new Error(`seed ${seed}: ${error}`, { cause: error });
  if (/[\n\0]/.test(error.message) || error.message.length > 2000)
    throw new Error(`seed ${seed}: ${JSON.stringify(error.message)}`);
  return false;
}

/** A document, changed as JSON, as bytes, or both. */
function changed(value: unknown, random: Random): Uint8Array {
  const kind = random.below(4);
  const bytes = new TextEncoder().encode(textOf(kind === 0 ? value : mutated(value, random)));
  return kind === 0 || kind === 1 ? damaged(bytes, random) : bytes;
}

/** The members of an archive of both kinds, one of its documents changed, and what names it made to fit or not. */
function archive(random: Random): Part[] {
  const which = random.below(5);
  const make = (at: number, value: unknown): Uint8Array =>
    which === at ? changed(value, random) : bytesOf(value);
  const document = make(0, config);
  const manifest = make(1, manifestOf(document, layers));
  const described = { ...descriptorOf(MEDIA.ociManifest, manifest), platform };
  const list = make(2, { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [described] });
  const top = { ...descriptorOf(MEDIA.ociIndex, list), annotations: X };
  const names = layers.map((layer) => blob(layer).name);
  const docker = { Config: blob(document).name, RepoTags: ["y:latest"], Layers: names };
  const index = { name: "index.json", data: make(3, { schemaVersion: 2, manifests: [top] }) };
  const table = { name: "manifest.json", data: make(4, [docker]) };
  const tables = which === 4 ? [table] : random.below(2) === 0 ? [index] : [index, table];
  return [...tables, ...[document, manifest, list, ...layers].map(blob)];
}

describe("mutated documents", () => {
  const manifest = manifestOf(bytesOf(config), layers);
  const list = {
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    manifests: [
      { ...descriptorOf(MEDIA.ociManifest, bytesOf(manifest)), platform: { ...platform, variant: "v2" } },
      { ...descriptorOf(MEDIA.ociManifest, bytesOf(config)), platform: { os: "linux", architecture: "arm" } },
    ],
  };
  const parsers: readonly (readonly [string, unknown, (bytes: Uint8Array) => unknown])[] = [
    ["manifests", manifest, (bytes) => parseManifest(bytes)],
    ["lists", list, (bytes) => selectPlatform(parseList(bytes), platform)],
    // what is taken must bear being written anew, as a commit does
    ["configurations", config, (bytes) => JSON.stringify(parseDocument(bytes))],
  ];
  test.each(parsers)(
    "%s",
    async (_, value, parse) => {
      let taken = 0;
      for (let seed = FIRST; seed < FIRST + ROUNDS; seed++)
        if (await survives(seed, () => parse(changed(value, new Random(seed))))) taken += 1;
      // a fuzzer whose documents are all refused, or none, finds nothing
      expect(taken).toBeGreaterThan(ROUNDS / 100);
      expect(taken).toBeLessThan(ROUNDS);
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
    60_000,
  );
});

/** What the store may have, by the forms of its names. */
function checkStore({ folder, list }: Scratch, seed: number, besides: readonly string[] = []): void {
  const wrong = [
    ...readdirSync(folder).filter((name) => !["root", "run", ...besides].includes(name)),
    ...list("").filter((name) => !["blobs", "layers", "images.json"].includes(name)),
    ...[...list("layers"), ...list("blobs/sha256")].filter((name) => !/^[0-9a-f]{64}$/.test(name)),
    ...list("blobs/partial"),
  ];
  wrong.push(...openBelow(folder));
  if (wrong.length > 0) throw new Error(`seed ${seed}: ${wrong.join(" ")}`);
}

/** Everything that is in the store can be listed and found; then it is emptied. */
function checkImages(store: Scratch, seed: number): void {
  for (const { id } of listImages(store.root))
    if (id !== undefined && findImage(store.root, id) === undefined)
      throw new Error(`seed ${seed}: no ${id}`);
  rmSync(store.root, { recursive: true });
  mkdirSync(store.root);
}

describe.skipIf(!isRoot)("mutated archives", () => {
  test("are read, or refused", async () => {
    await withStore(async (store) => {
      let taken = 0;
      for (let seed = FIRST; seed < FIRST + ROUNDS; seed++) {
        const parts = new Map(archive(new Random(seed)).map(({ name, data }) => [name, data]));
        const need = (name: string): Uint8Array => {
          const data = parts.get(name);
          if (data === undefined) throw missing(name);
          return typeof data === "string" ? new TextEncoder().encode(data) : data;
        };
        const bring = (name: string): HeldBlob => putBlob(store.root, need(name));
        const files = { has: (name: string) => parts.has(name), read: need, bring, close: () => {} };
        if (await survives(seed, () => readArchive(files, platform))) taken += 1;
      }
      expect(taken).toBeGreaterThan(ROUNDS / 100);
    });
  }, 60_000);

  test("are loaded, or refused and leave nothing", async () => {
    await withStore(async (store) => {
      let taken = 0;
      for (let seed = FIRST; seed < FIRST + WHOLE; seed++) {
        const random = new Random(seed);
        const tar = tarOf(...archive(random));
        const bytes = random.below(4) === 0 ? damaged(tar, random) : tar;
        const works = await survives(seed, () => loadBytes(store, bytes, { platform }));
        if (works) taken += 1;
        checkStore(store, seed);
        if (!works && listImages(store.root).length === 0)
          expect([seed, ...store.list("layers"), ...store.list("blobs/sha256")]).toEqual([seed]);
        checkImages(store, seed);
      }
      expect(taken).toBeGreaterThan(WHOLE / 100);
    });
  }, 120_000);

  test("in a folder are loaded, or refused; nothing beside it is read", async () => {
    await withStore(async (store) => {
      const folder = `${store.folder}/layout`;
      writeFileSync(`${store.folder}/secret`, "secret");
      for (let seed = FIRST; seed < FIRST + WHOLE / 2; seed++) {
        mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
        for (const { name, data = "" } of archive(new Random(seed))) writeFileSync(`${folder}/${name}`, data);
        const options = { platform, progress: SILENT, loaded: () => {} };
        await survives(seed, () => loadImages(store, folder, options));
        checkStore(store, seed, ["layout", "secret"]);
        expect(readFileSync(`${store.folder}/secret`, "utf8")).toBe("secret");
        checkImages(store, seed);
        rmSync(folder, { recursive: true });
      }
    });
  }, 120_000);
});
