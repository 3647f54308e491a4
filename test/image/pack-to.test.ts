import { describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { packTo, packTree } from "../../src/image/pack.ts";
import { EngineError } from "../../src/linux/errors.ts";
import { close, O, open } from "../../src/linux/file.ts";
import { inFolder, openFiles } from "./support.ts";

function makeTree(tree: string): void {
  mkdirSync(`${tree}/d`, { recursive: true });
  writeFileSync(`${tree}/d/big`, Buffer.alloc(3_000_001, "0123456789abcde"));
  linkSync(`${tree}/d/big`, `${tree}/hard`);
  symlinkSync("/nowhere", `${tree}/link`);
}

/** Runs `reader` (a shell's line, with the pipe as its stdin) beside `write`; returns what it said. */
async function piped(
  folder: string,
  reader: string,
  flags: number,
  write: (out: number) => void,
): Promise<string> {
  const fifo = `${folder}/fifo`;
  expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
  const child = Bun.spawn(["sh", "-c", `exec < ${fifo}; ${reader}`], { stdout: "pipe" });
  const out = open(fifo, flags);
  try {
    write(out);
  } finally {
    close(out);
  }
  return (await new Response(child.stdout).text()).trim();
}

function packed(tree: string, out: number): { readonly size: number } {
  const root = open(tree, O.RDONLY | O.DIRECTORY);
  try {
    return packTo(root, out);
  } finally {
    close(root);
  }
}

describe("packTo", () => {
  test("into a pipe, for GNU tar", async () => {
    await inFolder(async (folder) => {
      makeTree(`${folder}/tree`);
      const listed = await piped(folder, "tar -tf -", O.WRONLY, (out) => {
        expect(packed(`${folder}/tree`, out).size).toBe(3_000_001);
      });
      expect(listed.split("\n")).toEqual(["./", "d/", "d/big", "hard", "link"]);
    });
  });

  test("the same bytes as in a file, also through a pipe that takes little at a time and does not wait", async () => {
    await inFolder(async (folder) => {
      makeTree(`${folder}/tree`);
      packTree(`${folder}/tree`, `${folder}/out.tar`);
      const expected = new Bun.CryptoHasher("sha256").update(readFileSync(`${folder}/out.tar`)).digest("hex");
      const told = await piped(folder, "sha256sum", O.RDWR | O.NONBLOCK, (out) => {
        packed(`${folder}/tree`, out);
      });
      expect(told).toBe(`${expected}  -`);
    });
  });

  test("a reader that goes away: one clear error, and nothing stays open", async () => {
    await inFolder(async (folder) => {
      makeTree(`${folder}/tree`);
      let caught: unknown;
      const told = await piped(folder, "head -c 9", O.WRONLY, (out) => {
        const before = openFiles();
        try {
          packed(`${folder}/tree`, out);
        } catch (error) {
          caught = error;
        }
        expect(openFiles()).toEqual(before);
      });
      expect(told).toBe("PaxHeader");
      expect(caught).toBeInstanceOf(EngineError);
      expect(String(caught)).toContain("cannot write the archive: its reader has gone away (broken pipe)");
    });
  });
});
