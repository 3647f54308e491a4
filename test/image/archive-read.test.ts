import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { loadImages } from "../../src/image/archive/load.ts";
import { MEDIA } from "../../src/image/document.ts";
import { SILENT } from "../../src/image/progress.ts";
import { listImages } from "../../src/image/store.ts";
import {
  blob,
  bytesOf,
  describe as descriptorOf,
  dockerParts,
  failure,
  imageOf,
  load,
  manifestOf,
  ociParts,
  type Scratch,
  withStore,
} from "./image-support.ts";
import { isRoot, type Part, tarOf } from "./support.ts";

const layer = tarOf({ name: "file", data: "text" });
const X = "docker.io/library/x:latest";

/** An OCI archive of what an index.json and the other blobs say. */
function layout(manifests: readonly unknown[], ...blobs: readonly Uint8Array[]): Part[] {
  return [{ name: "index.json", data: bytesOf({ schemaVersion: 2, manifests }) }, ...blobs.map(blob)];
}

/** Puts members into a folder. */
function unpack(folder: string, parts: readonly Part[]): void {
  for (const { name, data = "" } of parts) {
    mkdirSync(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    writeFileSync(`${folder}/${name}`, data);
  }
}

function makeSparse(path: string, size: number): void {
  writeFileSync(path, "");
  truncateSync(path, size);
}

async function loadFolder(store: Scratch, folder: string): Promise<void> {
  await loadImages(store, folder, { progress: SILENT, loaded: () => {} });
}

const config = bytesOf(imageOf(layer).config);
const manifest = bytesOf(manifestOf(config, [layer]));
const top = descriptorOf(MEDIA.ociManifest, manifest);

describe.skipIf(!isRoot)("an archive of images", () => {
  test("with one image under many names, of many platforms, comes once with all of them", async () => {
    await withStore(async (store) => {
      const named = (name: string): unknown => ({
        ...top,
        annotations: { "io.containerd.image.name": name },
      });
      const names = Array.from({ length: 3000 }, (_, i) => `docker.io/library/x:${i}`);
      const loaded = await load(store, layout(names.map(named), config, manifest, layer));
      expect(loaded.length).toBe(1);
      expect(loaded[0]?.tags).toEqual(names);
    });
  });

  test("with more images than anybody saves is refused, before any of them is stored", async () => {
    await withStore(async (store) => {
      const manifests = Array.from({ length: 1100 }, (_, i) =>
        bytesOf({ ...manifestOf(config, [layer]), annotations: { i } }),
      );
      const tops = manifests.map((bytes) => descriptorOf(MEDIA.ociManifest, bytes));
      const parts = layout(tops, config, layer, ...manifests);
      expect(await failure(load(store, parts))).toBe("EngineError: the archive has more than 1000 images");
      const entry = { Config: "c.json", RepoTags: [], Layers: ["0/layer.tar"] };
      const list = { name: "manifest.json", data: bytesOf(Array.from({ length: 1100 }, () => entry)) };
      const docker = [...dockerParts(imageOf(layer)), list];
      expect(await failure(load(store, docker))).toBe("EngineError: the archive has more than 1000 images");
      expect(listImages(store.root)).toEqual([]);
      expect(store.list("blobs/sha256")).toEqual([]);
    });
  });

  test("whose lists only name lists is refused", async () => {
    await withStore(async (store) => {
      const lists = [manifest];
      for (let i = 0; i < 10; i++) {
        const type = i === 0 ? MEDIA.ociManifest : MEDIA.ociIndex;
        const below = descriptorOf(type, lists[0] ?? manifest);
        lists.unshift(bytesOf({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [below] }));
      }
      const [first = manifest] = lists;
      const deep = layout([descriptorOf(MEDIA.ociIndex, first)], config, layer, ...lists);
      expect(await failure(load(store, deep))).toContain("only name other lists");
      const shallow = layout([descriptorOf(MEDIA.ociIndex, lists[8] ?? first)], config, layer, ...lists);
      expect((await load(store, shallow)).length).toBe(1);
    });
  });

  test("with other sizes than it says is refused", async () => {
    await withStore(async (store) => {
      const wrong = {
        ...manifestOf(config, [layer]),
        layers: [{ ...descriptorOf(MEDIA.ociLayer, layer), size: 7 }],
      };
      const lies = bytesOf(wrong);
      const parts = layout([descriptorOf(MEDIA.ociManifest, lies)], config, lies, layer);
      expect(await failure(load(store, parts))).toContain(`has ${layer.length} bytes, not 7`);
      const short = layout([{ ...top, size: 3 }], config, manifest, layer);
      expect(await failure(load(store, short))).toContain(`has ${manifest.length} bytes, not 3`);
      expect(listImages(store.root)).toEqual([]);
    });
  });

  test("may have documents of more than a megabyte, but not of more than four", async () => {
    await withStore(async (store) => {
      const made = imageOf(layer);
      for (const [size, words] of [
        [2, undefined],
        [5, "too long"],
      ] as const) {
        const long = { ...made, config: { ...made.config, author: "x".repeat(size << 20) } };
        for (const parts of [ociParts(long), dockerParts(long)])
          if (words === undefined) expect((await load(store, parts)).length).toBe(1);
          else expect(await failure(load(store, parts))).toContain(words);
      }
    });
  });

  test("with too many layers is refused before they are looked at", async () => {
    await withStore(async (store) => {
      const made = imageOf(...Array.from({ length: 5000 }, () => layer));
      const [list, document] = dockerParts(made);
      const parts = [list, document].flatMap((part) => part ?? []);
      expect(await failure(load(store, parts))).toContain("5000 layers: 127 at most");
    });
  });

  test("says what counts at its end: a later member takes the place of an earlier one, also of a link", async () => {
    await withStore(async (store) => {
      const [list, document, content] = dockerParts(imageOf(layer));
      const parts: Part[] = [
        { name: "0/layer.tar", data: new Uint8Array(2 << 20) },
        { name: "c.json", data: "{}" },
        { name: "manifest.json", type: "2", link: "nowhere" },
        ...[list, document, content].flatMap((part) => part ?? []),
      ];
      expect((await load(store, parts)).map(({ tags }) => tags)).toEqual([[X]]);
      const linked: Part[] = [...parts, { name: "0/layer.tar", type: "2", link: "0/layer.tar" }];
      expect(await failure(load(store, linked))).toContain('"0/layer.tar" is missing');
    });
  });
});

describe.skipIf(!isRoot)("a layout in a folder", () => {
  test("is read, by links within it, but not by those that lead out", async () => {
    await withStore(async (store) => {
      const folder = `${store.folder}/layout`;
      const [index, ...rest] = ociParts(imageOf(layer)).slice(1);
      unpack(folder, rest);
      writeFileSync(`${store.folder}/outside.json`, index?.data ?? "");
      symlinkSync("../outside.json", `${folder}/index.json`);
      expect(await failure(loadFolder(store, folder))).toMatch(
        /^EngineError: .*"index.json".*leads out of its folder/,
      );
      writeFileSync(`${folder}/inside.json`, index?.data ?? "");
      Bun.spawnSync(["ln", "-sf", "inside.json", `${folder}/index.json`]);
      await loadFolder(store, folder);
      expect(listImages(store.root).map(({ tags }) => tags)).toEqual([[X]]);
    });
  });

  test("of which a document is a loop, a pipe, a folder or endless is refused", async () => {
    await withStore(async (store) => {
      const path = `${store.folder}/layout/index.json`;
      const made: readonly [() => void, string][] = [
        [() => symlinkSync("index.json", path), "ELOOP"],
        [() => void Bun.spawnSync(["mkfifo", path]), "no regular file"],
        [() => mkdirSync(path), "no regular file"],
        [() => makeSparse(path, 2 ** 40), "too long for a document"],
        [() => symlinkSync("/etc/passwd", path), "leads out"],
      ];
      for (const [make, words] of made) {
        mkdirSync(`${store.folder}/layout`);
        make();
        const said = await failure(loadFolder(store, `${store.folder}/layout`));
        expect(said).toStartWith("EngineError: ");
        expect(said).toContain(words);
        Bun.spawnSync(["rm", "-r", `${store.folder}/layout`]);
      }
    });
  });
});
