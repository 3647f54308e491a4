import { describe, expect, test } from "bun:test";
import { closeSync, openSync, rmSync } from "node:fs";
import { loadImages } from "../../src/image/archive/load.ts";
import { SILENT } from "../../src/image/progress.ts";
import { listImages } from "../../src/image/store.ts";
import { EngineError } from "../../src/linux/errors.ts";
import { MNT_DETACH, mount, umount } from "../../src/linux/mount.ts";
import { dockerParts, failure, imageOf, load, loadBytes, ociParts, withStore } from "./image-support.ts";
import { isRoot, openFiles, tarOf } from "./support.ts";

const layer = tarOf({ name: "file", data: "text" });
const large = tarOf({ name: "large", data: Buffer.alloc(3 << 20, "large") });

describe.skipIf(!isRoot)("load", () => {
  test.each([
    ["OCI", ociParts(imageOf(layer, large))],
    ["docker", dockerParts(imageOf(layer, large))],
  ])("takes %s archives, and leaves nothing else", async (_, parts) => {
    await withStore(async (store) => {
      const before = openFiles();
      const [image] = await load(store, [...parts, { name: "else", data: new Uint8Array(2 << 20) }]);
      expect(image?.tags).toEqual(["docker.io/library/x:latest"]);
      expect(listImages(store.root)).toMatchObject([{ id: image?.id ?? "", tags: image?.tags ?? [] }]);
      expect(store.list("blobs/sha256").length).toBe(4);
      expect(store.list("blobs/partial")).toEqual([]);
      expect(openFiles()).toEqual(before);
    });
  });

  test("of an archive that is cut short leaves none of its files behind", async () => {
    await withStore(async (store) => {
      const before = openFiles();
      const whole = tarOf(...ociParts(imageOf(large)), { name: "last", data: new Uint8Array(2 << 20) });
      const cut = whole.subarray(0, whole.length - (1 << 20));
      expect(await failure(loadBytes(store, cut))).toContain("cut short");
      expect(store.list("blobs/sha256")).toEqual([]);
      expect(store.list("blobs/partial")).toEqual([]);
      expect(openFiles()).toEqual(before);
    });
  });

  test("on a full disk gives the room back", async () => {
    await withStore(async (store) => {
      mount("tmpfs", store.root, "tmpfs", 0, "size=5m");
      try {
        const second = { name: "last", data: new Uint8Array(3 << 20).fill(1) };
        const parts = [...ociParts(imageOf(large)), second];
        expect(await failure(load(store, parts))).toContain("ENOSPC");
        expect(store.list("blobs/sha256")).toEqual([]);
        await load(store, ociParts(imageOf(layer)));
      } finally {
        umount(store.root, MNT_DETACH);
      }
    });
  });

  test("can be broken off while nothing comes from a pipe", async () => {
    await withStore(async (store) => {
      const path = `${store.folder}/pipe`;
      Bun.spawnSync(["mkfifo", path]);
      const [fd, writer] = [openSync(path, "r+"), openSync(path, "r+")];
      const abort = new AbortController();
      const work = loadImages(store, fd, { progress: SILENT, signal: abort.signal, loaded: () => {} });
      setTimeout(() => abort.abort(new EngineError("interrupted", 130)), 50);
      expect(await failure(work)).toBe("EngineError: interrupted");
      for (const one of [fd, writer]) closeSync(one);
      rmSync(path);
    });
  });

  test("takes what comes from a pipe in drops", async () => {
    await withStore(async (store) => {
      const path = `${store.folder}/pipe`;
      Bun.spawnSync(["mkfifo", path]);
      const script = `
        const out = Bun.file("${path}").writer();
        const bytes = new Uint8Array(await Bun.file("${store.folder}/whole").arrayBuffer());
        for (let at = 0; at < bytes.length; at += 5000) { out.write(bytes.subarray(at, at + 5000)); await out.flush(); }
        await out.end();`;
      await Bun.write(
        `${store.folder}/whole`,
        Bun.gzipSync(new Uint8Array(tarOf(...ociParts(imageOf(layer, large))))),
      );
      const child = Bun.spawn([process.execPath, "-e", script], { stderr: "inherit" });
      const fd = openSync(path, "r");
      const loaded: string[] = [];
      await loadImages(store, fd, { progress: SILENT, loaded: ({ id }) => loaded.push(id) });
      closeSync(fd);
      await child.exited;
      expect(loaded.length).toBe(1);
    });
  });
});
