import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { putBlob } from "../../src/image/blob-writer.ts";
import { parseDocument, parseManifest } from "../../src/image/document.ts";
import { installImage } from "../../src/image/install.ts";
import { publishLayer, wantLayer } from "../../src/image/layer-folder.ts";
import { SILENT } from "../../src/image/progress.ts";
import { close } from "../../src/linux/file.ts";
import { bytesOf, imageOf, manifestOf, withStore } from "./image-support.ts";
import { isRoot, tarOf } from "./support.ts";

const layer = tarOf({ name: "file", data: "text" });

describe.skipIf(!isRoot)("a layer that somebody else brings meanwhile", () => {
  test("is taken in place of the one that was just made", async () => {
    await withStore(async ({ root, list }) => {
      const place = await wantLayer(root, "n", undefined);
      if (typeof place === "number") throw new Error("it is there already");
      writeFileSync(`${place.path}/mine`, "");
      mkdirSync(`${root}/layers/n`);
      writeFileSync(`${root}/layers/n/theirs`, "");
      const fd = publishLayer(root, place, "n");
      expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(`${root}/layers/n`);
      expect(list("layers")).toEqual(["n"]);
      close(fd);
    });
  });

  test("while an image is installed", async () => {
    await withStore(async ({ root, list }) => {
      const { config } = imageOf(layer);
      const documentBytes = bytesOf(config);
      const manifestBytes = bytesOf(manifestOf(documentBytes, [layer]));
      const source = {
        manifest: parseManifest(manifestBytes),
        manifestBytes,
        document: parseDocument(documentBytes),
        documentBytes,
      };
      const name = source.document.rootfs.diff_ids[0]?.slice("sha256:".length) ?? "";
      // told when the layer's place is ours, and nothing is there yet
      const progress = {
        ...SILENT,
        layer: (_: string, state: string): void => {
          if (state !== "extracting") return;
          mkdirSync(`${root}/layers/${name}`);
          writeFileSync(`${root}/layers/${name}/file`, "theirs");
        },
      };
      const bring = (): Promise<number> => Promise.resolve(putBlob(root, layer).fd);
      const installed = await installImage(root, source, bring, progress);
      expect(installed.entry.layers).toEqual([name]);
      expect(readFileSync(`${root}/layers/${name}/file`, "utf8")).toBe("theirs");
      expect(list("layers")).toEqual([name]);
      installed.release();
    });
  });
});
