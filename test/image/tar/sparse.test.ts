import { describe, expect, test } from "bun:test";
import { closeSync, ftruncateSync, lstatSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { inFolder, members, refusal, unpackTo } from "../support.ts";
import { archive, base256, filled, member, pax } from "./blocks.ts";

const tar = Bun.which("tar") ?? "";
const isGnu = tar !== "" && Bun.spawnSync([tar, "--version"]).stdout.toString().includes("GNU tar");

const FORMATS = [
  ["GNU's old one", ["--format=gnu"]],
  ["pax 0.0", ["--format=posix", "--sparse-version=0.0"]],
  ["pax 0.1", ["--format=posix", "--sparse-version=0.1"]],
  ["pax 1.0", ["--format=posix", "--sparse-version=1.0"]],
] as const;

/** A file of `size` bytes with 4 KiB of data at each offset. */
function makeSparse(path: string, size: number, offsets: readonly number[]): void {
  const fd = openSync(path, "w");
  for (const [i, at] of offsets.entries()) writeSync(fd, Buffer.alloc(4096, `${i}.`), 0, 4096, at);
  ftruncateSync(fd, size);
  closeSync(fd);
}

/** 4 KiB of a file. With the same number of blocks as the original, the rest of it is holes. */
function dataAt(path: string, offset: number): Buffer {
  const fd = openSync(path, "r");
  const data = Buffer.alloc(4096);
  readSync(fd, data, 0, 4096, offset);
  closeSync(fd);
  return data;
}

const MB = 1 << 20;
const CASES: readonly (readonly [string, number, readonly number[]])[] = [
  ["few pieces", 4 * MB, [0, MB, 3 * MB]],
  ["pieces for many blocks of the map", 400 * 65536 + 100, Array.from({ length: 400 }, (_, i) => i * 65536)],
  ["all hole", 8 * MB, []],
  ["no hole at the end", MB + 4096, [MB]],
  ["larger than 8 GiB", 9 * 1024 * MB, [8.5 * 1024 * MB]],
];

describe.skipIf(!isGnu).each(FORMATS)("what GNU tar packs: %s", (_, flags) => {
  test.each(CASES)("%s", async (_name, size, offsets) => {
    await inFolder(async (folder) => {
      makeSparse(`${folder}/file`, size, offsets);
      await Bun.write(`${folder}/after`, "after");
      const made = Bun.spawnSync([tar, "--sparse", ...flags, "-C", folder, "-cf", "-", "file", "after"]);
      expect(made.exitCode).toBe(0);
      Bun.spawnSync(["mkdir", `${folder}/out`]);
      for (const step of [65536, 700]) {
        const { size: stored } = await unpackTo(`${folder}/out`, made.stdout, step);
        const [before, now] = [lstatSync(`${folder}/file`), lstatSync(`${folder}/out/file`)];
        expect(now.size).toBe(before.size);
        // but for a block of the file system's own that maps them
        expect(Math.abs(now.blocks - before.blocks)).toBeLessThanOrEqual(64);
        expect(stored).toBe(offsets.length * 4096 + 5);
        for (const [i, at] of offsets.entries())
          expect(dataAt(`${folder}/out/file`, at).equals(Buffer.alloc(4096, `${i}.`))).toBe(true);
        expect(readFileSync(`${folder}/out/after`, "utf8")).toBe("after");
      }
    });
  });
});

describe("maps that are none", () => {
  const zero = "0".repeat(11);
  const octal = (value: number): string => `${value.toString(8).padStart(11, "0")}\0`;
  const old = (entries: readonly (readonly [number, number])[], size: number, data = "12345"): Buffer =>
    archive(
      member(
        { name: "a", data },
        {
          156: "S",
          386: entries.map(([at, length]) => octal(at) + octal(length)).join(""),
          483: octal(size),
        },
      ),
    );

  test.each<[string, Buffer]>([
    ["stored bytes without a place", old([[0, 4]], 100)],
    ["places without bytes", old([[0, 6]], 100)],
    [
      "out of order",
      old(
        [
          [10, 2],
          [5, 3],
        ],
        100,
      ),
    ],
    [
      "one over the other",
      old(
        [
          [0, 3],
          [2, 2],
        ],
        100,
      ),
    ],
    ["beyond the end", old([[98, 5]], 100)],
    [
      "a size that is no number",
      archive(
        member({ name: "a", data: "1" }, { 156: "S", 386: octal(0) + octal(1), 483: base256(-1n, 12) }),
      ),
    ],
    [
      "an offset that is none",
      archive(member({ name: "a", data: "1" }, { 156: "S", 386: `${zero}x${octal(1)}`, 483: octal(5) })),
    ],
    [
      "0.1: half a pair",
      archive(
        pax([
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.map", "0,1,2"],
        ]),
        members({ name: "a", data: "1" }),
      ),
    ],
    [
      "0.1: no numbers",
      archive(
        pax([
          ["GNU.sparse.size", "9"],
          ["GNU.sparse.map", "0,x"],
        ]),
        members({ name: "a", data: "1" }),
      ),
    ],
    [
      "1.0: no numbers",
      archive(
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.realsize", "9"],
        ]),
        members({ name: "a", data: "hello\n".repeat(100) }),
      ),
    ],
    [
      "1.0: longer than the content",
      archive(
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.realsize", "9"],
        ]),
        members({ name: "a", data: "9\n0\n1\n" }),
      ),
    ],
    [
      "1.0: a line without end",
      archive(
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.realsize", "9"],
        ]),
        members({ name: "a", data: "9".repeat(2048) }),
      ),
    ],
    [
      "1.0: no content",
      archive(
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.realsize", "9"],
        ]),
        members({ name: "a" }),
      ),
    ],
  ])("%s", async (_, data) => {
    expect(await refusal(data)).toBe('"a": its map of a sparse file is malformed');
  });

  test("more pieces than the limit", async () => {
    const map = Array.from({ length: 12 }, (_, i) => `${i * 10},0`).join(",");
    const record = archive(
      pax([
        ["GNU.sparse.size", "999"],
        ["GNU.sparse.map", map],
      ]),
      members({ name: "a" }),
    );
    const lines = filled(Buffer.from(`12\n${map.replaceAll(",", "\n")}\n`));
    const content = archive(
      pax([
        ["GNU.sparse.major", "1"],
        ["GNU.sparse.realsize", "999"],
      ]),
      members({ name: "a", data: lines }),
    );
    const block = Buffer.alloc(512);
    for (let i = 0; i < 12; i++) block.write(octal(i * 10) + octal(0), i * 24, "latin1");
    const blocks = archive(
      member({ name: "a" }, { 156: "S", 386: octal(0) + octal(0), 482: "\x01", 483: octal(999) }),
      block,
    );
    for (const data of [record, content, blocks]) {
      expect(await refusal(data, undefined, { extents: 10 })).toBe(
        '"a": it is a sparse file in more than 10 pieces',
      );
      await inFolder((folder) => unpackTo(folder, data));
    }
  });
});
