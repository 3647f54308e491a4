import { describe, expect, test } from "bun:test";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { makeBlobFolders, newBlob, putBlob } from "../../src/image/blob-writer.ts";
import { close, O, open, read } from "../../src/linux/file.ts";
import { MNT_DETACH, mount, umount } from "../../src/linux/mount.ts";
import { withStore } from "./image-support.ts";
import { isRoot } from "./support.ts";

const bytes = new TextEncoder().encode("some bytes");

function descriptors(): string[] {
  return readdirSync("/proc/self/fd");
}

describe("a blob on its way in", () => {
  test("that is taken away before it is finished: who gives it up closes its descriptor once", async () => {
    await withStore(async ({ root }) => {
      const writer = newBlob(root);
      writer.write(bytes);
      rmSync(writer.path);
      expect(() => writer.finish()).toThrow("was removed while it was written");
      writeFileSync(`${root}/file`, "mine");
      const others = [0, 1, 2, 3].map(() => open(`${root}/file`, O.RDONLY));
      writer.abandon();
      const last = open(`${root}/file`, O.RDONLY);
      writer.leave();
      for (const fd of [...others, last]) {
        expect(read(fd, new Uint8Array(4))).toBe(4);
        close(fd);
      }
    });
  });

  test.skipIf(!isRoot)("on a full disk leaves nothing", async () => {
    await withStore(async ({ root, list }) => {
      mount("tmpfs", root, "tmpfs", 0, "size=64k");
      try {
        makeBlobFolders(root);
        const before = descriptors().length;
        expect(() => putBlob(root, Buffer.alloc(1 << 20, 1))).toThrow("ENOSPC");
        expect(list("blobs/partial")).toEqual([]);
        expect(descriptors().length).toBe(before);
      } finally {
        umount(root, MNT_DETACH);
      }
    });
  });
});
