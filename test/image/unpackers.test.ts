import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../src/image/read-blob.ts";
import { Unpackers } from "../../src/image/unpackers.ts";
import { close, O, open } from "../../src/linux/file.ts";
import { inFolder, isRoot, tarOf } from "./support.ts";

/** As the built program starts itself. */
const PROGRAM = [process.execPath, `${import.meta.dir}/../../src/main.ts`, "__unpack"];

interface Layer {
  readonly diffId: string;
  readonly content: Buffer;
  readonly file: number;
  readonly folder: number;
  readonly path: string;
}

function makeLayer(base: string, name: string, content: Buffer): Layer {
  const tar = tarOf({ name: "file", data: content });
  writeFileSync(`${base}/${name}.gz`, gzipSync(tar, { level: 1 }));
  const path = `${base}/${name}`;
  mkdirSync(path);
  const [file, folder] = [open(`${path}.gz`, O.RDONLY), open(path, O.RDONLY | O.DIRECTORY)];
  return { diffId: digestOf(tar), content, file, folder, path };
}

/** Runs `work` with that many layers, of which the even ones are large. */
async function withLayers(count: number, work: (layers: readonly Layer[]) => Promise<void>): Promise<void> {
  await inFolder(async (base) => {
    const layers = Array.from({ length: count }, (_, i) =>
      makeLayer(base, `layer${i}`, randomBytes(i % 2 === 0 ? 2 << 20 : 1000)),
    );
    try {
      await work(layers);
    } finally {
      for (const { file, folder } of layers) {
        close(file);
        close(folder);
      }
    }
  });
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

describe.skipIf(!isRoot)("layers unpacked in several processes", () => {
  test("each into its folder, with what was found out, and nothing stays open", async () => {
    await withLayers(9, async (layers) => {
      const before = openFiles();
      const unpackers = new Unpackers(new AbortController().signal, PROGRAM, 2);
      const begun: number[] = [];
      const results = await Promise.all(
        layers.map(({ file, folder }, i) => unpackers.unpack(file, folder, () => void begun.push(i))),
      );
      unpackers.end();
      expect(begun.toSorted((a, b) => a - b)).toEqual(layers.map((_, i) => i));
      for (const [i, { diffId, content, path }] of layers.entries()) {
        expect(results[i]).toMatchObject({ diffId, size: content.length });
        expect(readFileSync(`${path}/file`).equals(content)).toBe(true);
      }
      for (const end = Date.now() + 5000; openFiles() > before && Date.now() < end; ) await Bun.sleep(5);
      expect(openFiles()).toBeLessThanOrEqual(before);
    });
  });

  test("what a helper refuses is an error here, and it goes on with the next", async () => {
    await withLayers(5, async (layers) => {
      const unpackers = new Unpackers(new AbortController().signal, PROGRAM, 1);
      const broken = layers[2];
      if (broken === undefined) throw new Error("there is none");
      writeFileSync(`${broken.path}.gz`, Buffer.concat([gzipSync(tarOf()), randomBytes(2 << 20)]));
      const results = await Promise.allSettled(
        layers.map(({ file, folder }) => unpackers.unpack(file, folder, () => undefined)),
      );
      unpackers.end();
      expect(results.map(({ status }) => status)).toEqual(
        layers.map((layer) => (layer === broken ? "rejected" : "fulfilled")),
      );
      expect(results[2]).toMatchObject({ reason: { name: "ArchiveError" } });
    });
  });

  test("the signal ends all of it with its reason", async () => {
    await withLayers(5, async (layers) => {
      const abort = new AbortController();
      const unpackers = new Unpackers(abort.signal, PROGRAM, 2);
      const all = layers.map(({ file, folder }) => unpackers.unpack(file, folder, () => undefined));
      abort.abort(new Error("enough"));
      const results = await Promise.allSettled(all);
      unpackers.end();
      for (const result of results) expect(result).toMatchObject({ reason: { message: "enough" } });
    });
  });

  test("a helper that is killed is said so", async () => {
    await withLayers(3, async (layers) => {
      const unpackers = new Unpackers(new AbortController().signal, ["/bin/false"], 1);
      const results = await Promise.allSettled(
        layers.map(({ file, folder }) => unpackers.unpack(file, folder, () => undefined)),
      );
      unpackers.end();
      expect(results[2]).toMatchObject({
        reason: { message: expect.stringMatching(/^the process that unpacked a layer was killed/) },
      });
    });
  });

  test("without helpers all is done here", async () => {
    await withLayers(3, async (layers) => {
      const unpackers = new Unpackers(new AbortController().signal, undefined, 2);
      const all = layers.map(({ file, folder }) => unpackers.unpack(file, folder, () => undefined));
      expect((await Promise.all(all)).map(({ diffId }) => diffId)).toEqual(
        layers.map(({ diffId }) => diffId),
      );
    });
  });
});
