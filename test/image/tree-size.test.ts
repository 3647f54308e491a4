import { describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { contentSize } from "../../src/image/tree-size.ts";
import { close, mkdir, O, open, openAt, truncate } from "../../src/linux/file.ts";
import { inFolder } from "./support.ts";

function sizeOf(path: string): number {
  const fd = open(path, O.RDONLY | O.DIRECTORY);
  try {
    return contentSize(fd);
  } finally {
    close(fd);
  }
}

describe("the size of a tree", () => {
  test("counts a file with several names once", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/a`);
      writeFileSync(`${folder}/a/one`, "12345");
      linkSync(`${folder}/a/one`, `${folder}/two`);
      expect(sizeOf(folder)).toBe(5);
    });
  });

  test("of folders that come and go all the time", async () => {
    await inFolder(async (folder) => {
      writeFileSync(`${folder}/stays`, "12345");
      const script = `
        import { mkdirSync, rmSync, writeFileSync } from "node:fs";
        console.log("ready");
        for (let i = 0; ; i++) {
          mkdirSync("${folder}/d/e", { recursive: true });
          for (let k = 0; k < 20; k++) writeFileSync("${folder}/d/e/" + k, "");
          rmSync("${folder}/d", { recursive: true });
        }`;
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "ignore" });
      try {
        for await (const _ of child.stdout) break;
        for (let i = 0; i < 2000; i++) expect(sizeOf(folder)).toBe(5);
      } finally {
        child.kill("SIGKILL");
        await child.exited;
      }
    });
  }, 60_000);

  test("does not go down for ever: each folder on the way takes a descriptor", async () => {
    await inFolder((folder) => {
      writeFileSync(`${folder}/top`, "12345");
      let at = open(folder, O.RDONLY | O.DIRECTORY);
      for (let depth = 0; depth < 600; depth++) {
        mkdir("d", 0o755, at);
        const below = openAt(at, "d", O.RDONLY | O.DIRECTORY);
        close(at);
        at = below;
      }
      const deep = openAt(at, "deep", O.RDWR | O.CREAT, 0o600);
      truncate(deep, 100);
      close(deep);
      close(at);
      expect(sizeOf(folder)).toBe(5);
    });
  });
});
