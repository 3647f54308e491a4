import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { makeBlobFolders, newBlob, putBlob } from "../../src/image/blob-writer.ts";
import { changeAndSweep } from "../../src/image/remove.ts";
import { close } from "../../src/linux/file.ts";
import { withStore } from "./image-support.ts";
import { isRoot } from "./support.ts";

describe.skipIf(!isRoot)("a sweep", () => {
  test("beside somebody who puts blobs into the store all the time", async () => {
    await withStore(async ({ root, run, inUse }) => {
      makeBlobFolders(root);
      const script = `
        import { putBlob } from "${import.meta.dir}/../../src/image/blob-writer.ts";
        import { close } from "${import.meta.dir}/../../src/linux/file.ts";
        console.log("ready");
        for (let i = 0; ; i++) close(putBlob("${root}", new TextEncoder().encode(String(i))).fd);`;
      const writer = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
      try {
        for await (const _ of writer.stdout) break;
        for (let i = 0; i < 3000; i++) changeAndSweep(root, run, inUse, () => {});
      } finally {
        writer.kill("SIGKILL");
        await writer.exited;
      }
      expect(writer.signalCode).toBe("SIGKILL");
    });
  }, 60_000);

  test("leaves what somebody holds, and is not stopped by what is none of the store's", async () => {
    await withStore(async ({ root, run, inUse, list }) => {
      makeBlobFolders(root);
      const held = putBlob(root, new TextEncoder().encode("held"));
      close(putBlob(root, new TextEncoder().encode("free")).fd);
      const writer = newBlob(root);
      mkdirSync(`${root}/layers`);
      writeFileSync(`${root}/layers/README`, "");
      symlinkSync("/", `${root}/layers/link`);
      mkdirSync(`${root}/layers/free`);
      mkdirSync(`${root}/blobs/sha256/folder`);
      symlinkSync("/etc/passwd", `${root}/blobs/sha256/link`);
      symlinkSync("/nowhere", `${root}/blobs/partial/.link`);
      // a name that is no UTF-8 is as good as one that is gone when it is looked at
      writeFileSync(Buffer.concat([Buffer.from(`${root}/blobs/partial/.x`), Buffer.of(0xff)]), "");
      changeAndSweep(root, run, inUse, () => {});
      expect(list("layers")).toEqual(["README", "link"]);
      expect(list("blobs/sha256")).toEqual([held.digest.slice(7), "folder", "link"].sort());
      expect(list("blobs/partial").length).toBe(3);
      writer.abandon();
      close(held.fd);
    });
  });
});
