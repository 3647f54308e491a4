import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { makeBlobFolders } from "../../src/image/blob-writer.ts";
import { digestOf } from "../../src/image/read-blob.ts";
import { resolveImage } from "../../src/image/store.ts";
import { sweepOnceABoot } from "../../src/image/upkeep.ts";
import { withStore } from "./image-support.ts";
import { isRoot, tarOf } from "./support.ts";

const layer = tarOf({ name: "./", type: "5", mode: 0o755 }, { name: "file", data: "text" });

describe.skipIf(!isRoot)("the first command after a boot", () => {
  test("does not take for a layer what a power cut has left of one", async () => {
    await withStore(async ({ root, run, inUse }) => {
      const torn = `${root}/layers/${digestOf(layer).slice("sha256:".length)}`;
      mkdirSync(torn, { recursive: true });
      writeFileSync(`${torn}/file`, "torn");
      mkdirSync(`${root}/image`);
      writeFileSync(`${root}/image/x.tar`, layer);
      const image = await resolveImage(root, run, "x", { inUse });
      expect(image.layers).toEqual([torn]);
      expect(readFileSync(`${torn}/file`, "utf8")).toBe("text");
    });
  });

  test("sweeps, once in each store", async () => {
    await withStore(async ({ folder, run, inUse }) => {
      for (const root of [`${folder}/a`, `${folder}/b`]) {
        makeBlobFolders(root);
        const file = `${root}/blobs/sha256/${"0".repeat(64)}`;
        writeFileSync(file, "");
        sweepOnceABoot({ root, run, inUse });
        expect(await Bun.file(file).exists()).toBe(false);
        writeFileSync(file, "");
        sweepOnceABoot({ root, run, inUse });
        expect(await Bun.file(file).exists()).toBe(true);
      }
    });
  });
});
