import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openSource, type Range } from "../../../src/image/tar/source.ts";
import { close, O, open } from "../../../src/linux/file.ts";
import { inFolder } from "../support.ts";

const sha = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

interface Outcome {
  readonly content: Buffer;
  readonly digest: string;
  readonly diffId: string;
}

async function readBack(file: Uint8Array, range?: Range): Promise<Outcome> {
  return await inFolder(async (folder) => {
    await Bun.write(`${folder}/file`, file);
    const fd = open(`${folder}/file`, O.RDONLY);
    try {
      const source = openSource(fd, range);
      const content = Buffer.concat(await Array.fromAsync(source.pieces));
      expect(source.digest()).toBe(source.digest());
      return { content, digest: source.digest(), diffId: source.diffId() };
    } finally {
      close(fd);
    }
  });
}

async function failure(file: Uint8Array, range?: Range): Promise<string> {
  const outcome = await readBack(file, range).catch((error: unknown) => error);
  if (!(outcome instanceof Error)) throw new Error("it was read");
  return `${outcome.name}: ${outcome.message}`;
}

// parts that do not compress, and ones that do, longer than any buffer
const one = Buffer.concat([randomBytes(700_000), Buffer.alloc(3_000_000, "text "), randomBytes(100)]);
const two = Buffer.from("the second part");
const both = Buffer.concat([one, two]);
const skippable = Buffer.concat([
  Buffer.from("5f2a4d18", "hex"),
  Buffer.from([5, 0, 0, 0]),
  Buffer.from("skip!"),
]);
const zstd = (data: Buffer, checksum = 0): Buffer => zstdCompressSync(data, { params: { 201: checksum } });

const FORMS: readonly (readonly [string, Buffer])[] = [
  ["plain", both],
  ["gzip", gzipSync(both)],
  ["gzip, two members", Buffer.concat([gzipSync(one), gzipSync(two)])],
  ["gzip with zeros behind", Buffer.concat([gzipSync(one), gzipSync(two), Buffer.alloc(9000)])],
  ["zstd", zstd(both)],
  ["zstd with checksums", Buffer.concat([zstd(one, 1), zstd(two, 1)])],
  [
    "zstd, several frames, some to be skipped",
    Buffer.concat([skippable, zstd(one), skippable, zstd(two), skippable]),
  ],
];

describe.each(FORMS)("%s", (_, stored) => {
  test("content and both digests", async () => {
    const { content, digest, diffId } = await readBack(stored);
    expect(content.equals(both)).toBe(true);
    expect(digest).toBe(sha(stored));
    expect(diffId).toBe(sha(both));
  });

  test("from within a larger file", async () => {
    const around = Buffer.concat([Buffer.alloc(512, 1), stored, stored]);
    const { content, digest, diffId } = await readBack(around, { start: 512, length: stored.length });
    expect(content.equals(both)).toBe(true);
    expect([digest, diffId]).toEqual([sha(stored), sha(both)]);
  });

  test("a range that the file does not have", async () => {
    expect(await failure(stored, { start: 1000, length: stored.length })).toMatch(
      /^ArchiveError: it is cut short/,
    );
  });
});

test.each(FORMS.slice(1))("%s, cut short anywhere", async (name, stored) => {
  // zeros behind gzip's data may be missing, and so may whole frames
  const whole = name.includes("zeros") ? stored.subarray(0, -9000) : stored;
  for (const less of [1, 2, 3, 4, 5, 6, 7, 8, 30, 700_000]) {
    const frames = name.includes("skipped") && less === skippable.length;
    if (!frames) expect(await failure(whole.subarray(0, -less))).toMatch(/^ArchiveError: it is cut short/);
  }
});

test.each<[string, Buffer, RegExp]>([
  ["gzip", Buffer.concat([gzipSync(two), Buffer.from("garbage")]), /gzip data is damaged/],
  ["zstd", Buffer.concat([zstd(two), Buffer.from("garbage")]), /zstd data is followed by something else/],
  ["damaged gzip", gzipSync(one).fill(0x55, 1000, 1100), /gzip data is damaged/],
  [
    "damaged zstd",
    zstd(Buffer.alloc(90_000, "abcdefghij")).fill(0xff, 12, 18),
    /zstd data is damaged|cut short/,
  ],
  ["bzip2", Buffer.from("425a683931415926535900", "hex"), /compressed with bzip2, which is not supported/],
  ["xz", Buffer.from("fd377a585a000004e6d6b446", "hex"), /compressed with xz, which is not supported/],
])("refused: %s", async (_, stored, words) => {
  expect(await failure(stored)).toMatch(words);
});

test("nothing at all, and less than a magic number", async () => {
  expect(await readBack(Buffer.alloc(0))).toMatchObject({ digest: sha(Buffer.alloc(0)) });
  expect((await readBack(Buffer.from("BZh"))).content.toString()).toBe("BZh");
  expect((await readBack(both, { start: 4, length: 0 })).content.length).toBe(0);
});

test.each([
  ["plain", both],
  ["gzip", gzipSync(both)],
] as const)(
  "a digest that was not asked for is not given, rather than a wrong one: %s",
  async (kind, file) => {
    await inFolder(async (folder) => {
      await Bun.write(`${folder}/file`, file);
      const fd = open(`${folder}/file`, O.RDONLY);
      try {
        const source = openSource(fd, { start: 0, length: file.length }, "diff-id");
        expect(Buffer.concat(await Array.fromAsync(source.pieces)).equals(both)).toBe(true);
        expect(source.diffId()).toBe(sha(both));
        if (kind === "gzip") expect(() => source.digest()).toThrow("not made");
        const none = openSource(fd, { start: 0, length: file.length }, "none");
        expect(Buffer.concat(await Array.fromAsync(none.pieces)).equals(both)).toBe(true);
        expect(() => none.digest()).toThrow("not made");
        expect(() => none.diffId()).toThrow("not made");
      } finally {
        close(fd);
      }
    });
  },
);
