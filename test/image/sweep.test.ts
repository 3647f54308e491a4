import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { BlobWriter, newBlob, putBlob, wantBlob } from "../../src/image/blob-writer.ts";
import { holdLayer, publishLayer, wantLayer } from "../../src/image/layer-folder.ts";
import { holdBlob } from "../../src/image/read-blob.ts";
import { changeAndSweep } from "../../src/image/remove.ts";
import type { Extent } from "../../src/image/sweep.ts";
import { close } from "../../src/linux/file.ts";
import { inFolder } from "./support.ts";

interface Store {
  readonly root: string;
  sweep(extent: Extent, inUse?: readonly string[]): void;
  blobs(): string[];
  partials(): string[];
  layers(): string[];
}

async function withStore(work: (store: Store) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const root = `${folder}/root`;
    mkdirSync(root);
    const list = (path: string): string[] => (existsSync(path) ? readdirSync(path).sort() : []);
    await work({
      root,
      sweep: (extent, inUse = []) =>
        void changeAndSweep(
          root,
          `${folder}/run`,
          () => new Set(inUse),
          () => {},
          extent,
        ),
      blobs: () => list(`${root}/blobs/sha256`),
      partials: () => list(`${root}/blobs/partial`),
      layers: () => list(`${root}/layers`),
    });
  });
}

const DIGEST = `sha256:${"ab".repeat(32)}`;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("what nothing reaches", () => {
  test("blobs: those that are held stay, the others go; the young ones only when all that is whole is to", async () => {
    await withStore(async ({ root, sweep, blobs }) => {
      const held = putBlob(root, text("held"));
      close(putBlob(root, text("free")).fd);
      expect(blobs()).toHaveLength(2);
      sweep("old");
      expect(blobs()).toHaveLength(2);
      sweep("whole");
      expect(blobs()).toEqual([held.digest.slice(7)]);
      close(held.fd);
      sweep("whole");
      expect(blobs()).toEqual([]);
      expect(holdBlob(root, held.digest)).toBeUndefined();
    });
  });

  test("downloads: one under way stays; one that was broken off is gone on with, until everything is to go", async () => {
    await withStore(async ({ root, sweep, partials }) => {
      const writer = await wantBlob(root, DIGEST, undefined);
      if (!(writer instanceof BlobWriter)) throw new Error("there is no such blob");
      writer.write(text("half"));
      sweep("everything");
      expect(partials()).toEqual([DIGEST.slice(7)]);
      writer.leave();
      sweep("whole");
      const again = await wantBlob(root, DIGEST, undefined);
      expect(again instanceof BlobWriter && again.offset).toBe(4);
      if (again instanceof BlobWriter) again.leave();
      sweep("everything");
      expect(partials()).toEqual([]);
    });
  });

  test("files whose digest was never known go as soon as nobody writes them", async () => {
    await withStore(async ({ root, sweep, partials }) => {
      const writer = newBlob(root);
      writer.write(text("some"));
      sweep("old");
      expect(partials()).toHaveLength(1);
      writer.leave();
      sweep("old");
      expect(partials()).toEqual([]);
    });
  });

  test("layers: those that containers have or somebody holds stay; a half-made one goes", async () => {
    await withStore(async ({ root, sweep, layers }) => {
      const fds: number[] = [];
      for (const name of ["used", "held", "free"]) {
        const place = await wantLayer(root, name, undefined);
        if (typeof place === "number") throw new Error("there is no such layer");
        publishLayer(root, place, name);
        if (name === "held") fds.push(place.fd);
        else close(place.fd);
      }
      const half = await wantLayer(root, "half", undefined);
      if (typeof half === "number") throw new Error("there is no such layer");
      sweep("old");
      expect(layers()).toEqual([".tmp-half", "free", "held", "used"]);
      sweep("whole", [`${root}/layers/used`]);
      expect(layers()).toEqual([".tmp-half", "held", "used"]);
      close(half.fd);
      sweep("old");
      expect(layers()).toEqual(["held", "used"]);
      for (const fd of fds) close(fd);
      sweep("whole");
      expect(layers()).toEqual([]);
      expect(holdLayer(root, "held")).toBeUndefined();
    });
  });

  test("who wants a blob or a layer that another one makes waits for it, and a signal ends the wait", async () => {
    await withStore(async ({ root }) => {
      const writer = await wantBlob(root, DIGEST, undefined);
      const abort = new AbortController();
      const waiting = wantBlob(root, DIGEST, abort.signal);
      const place = await wantLayer(root, "one", undefined);
      const layer = wantLayer(root, "one", abort.signal);
      abort.abort(new Error("enough"));
      const ended = await Promise.allSettled([waiting, layer]);
      expect(ended.map((one) => one.status === "rejected" && String(one.reason))).toEqual([
        "Error: enough",
        "Error: enough",
      ]);
      if (writer instanceof BlobWriter) writer.abandon();
      if (typeof place !== "number") publishLayer(root, place, "one");
      const there = await wantLayer(root, "one", undefined);
      expect(typeof there).toBe("number");
      if (typeof there === "number") close(there);
      if (typeof place !== "number") close(place.fd);
    });
  });
});
