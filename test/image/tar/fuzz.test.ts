/**
 * Mutated layers, by a seed: each is unpacked, or refused with one line of ours. MYDOCKER_FUZZ sets the number of rounds,
 * MYDOCKER_FUZZ_SEED the first seed; a failure names the seed that makes it again.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { unpackLayer } from "../../../src/image/tar/layer.ts";
import { settleLayer } from "../../../src/image/tar/settle.ts";
import { openSource } from "../../../src/image/tar/source.ts";
import { unpackTar } from "../../../src/image/tar/unpack.ts";
import { close, O, open } from "../../../src/linux/file.ts";
import { inFolder, isRoot, openFiles, piecesOf } from "../support.ts";
import { archive, base256, checked, pax } from "./blocks.ts";
import { FIELDS, KEYS, NAMES, PARTS, Random, TYPES, VALUES } from "./fuzz-parts.ts";

const ROUNDS = Number(process.env.MYDOCKER_FUZZ ?? 1500);
const FIRST = Number(process.env.MYDOCKER_FUZZ_SEED ?? 1);

/** One header block of the archive, changed, with its checksum made right. */
function changeHeader(tar: Buffer, random: Random): Buffer {
  const at = random.below(Math.floor(tar.length / 512)) * 512;
  const block = tar.subarray(at, at + 512);
  const kind = random.below(4);
  if (kind === 0) block.write(random.of([...TYPES]), 156, "latin1");
  else if (kind === 1) block.fill(0, 0, 100).write(random.of(NAMES), 0, "latin1");
  else if (kind === 2) block.fill(0, 157, 257).write(random.of(NAMES), 157, "latin1");
  else {
    const [from, length] = random.of(FIELDS);
    const values = [
      base256(BigInt(random.below(2 ** 31)) - 2n ** 30n, length),
      Buffer.from(
        random
          .below(2 ** 30)
          .toString(8)
          .padStart(length - 1, "0"),
      ),
      Buffer.alloc(length, random.below(256)),
    ];
    random.of(values).copy(block, from, 0, length);
  }
  checked(block);
  return tar;
}

const MUTATIONS: readonly ((tar: Buffer, random: Random) => Buffer)[] = [
  (tar, random) => {
    for (let i = random.below(8); i >= 0; i--) {
      const at = random.below(tar.length);
      tar[at] = (tar[at] ?? 0) ^ (1 << random.below(8));
      // most often so that the checksum does not tell
      const block = tar.subarray(at - (at % 512), at - (at % 512) + 512);
      if (random.below(4) > 0 && block.toString("latin1", 257, 262) === "ustar") checked(block);
    }
    return tar;
  },
  (tar, random) => tar.subarray(0, random.below(tar.length)),
  changeHeader,
  changeHeader,
  changeHeader,
  (tar, random) => {
    const [a, b] = [random.below(tar.length), random.below(tar.length)];
    return Buffer.concat([tar.subarray(0, a), tar.subarray(b)]);
  },
  (tar, random) => {
    const at = random.below(Math.floor(tar.length / 512)) * 512;
    const records = Array.from(
      { length: 1 + random.below(3) },
      () => [random.of(KEYS), random.of(VALUES)] as const,
    );
    return Buffer.concat([
      tar.subarray(0, at),
      pax(records, random.of(["x", "x", "x", "g"])),
      tar.subarray(at),
    ]);
  },
  (tar, random) => {
    // within the digits and keys of a pax header
    const at = tar.indexOf("=", random.below(tar.length));
    if (at > 0) tar[at - random.below(Math.min(at, 12))] = random.below(256);
    return tar;
  },
];

const COMPRESSIONS = [
  gzipSync,
  zstdCompressSync,
  (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
];

/** The archive of one seed, plain or compressed. */
function makeArchive(random: Random): Buffer {
  // in their order most often: what others need comes first
  const few = PARTS.filter(() => random.below(3) === 0);
  const parts =
    random.below(4) > 0 ? few : Array.from({ length: 1 + random.below(12) }, () => random.of(PARTS));
  let tar: Buffer = archive(...parts);
  for (let i = random.below(4); i > 0 && tar.length >= 512; i--) tar = random.of(MUTATIONS)(tar, random);
  if (random.below(4) > 0) return tar;
  const stored = random.of(COMPRESSIONS)(tar);
  for (let i = random.below(3); i > 0; i--) stored[random.below(stored.length)] = random.below(256);
  return random.below(3) === 0 ? stored.subarray(0, random.below(stored.length)) : stored;
}

const LIMITS = { headers: 100_000, content: 1 << 20 };

async function unpack(folder: string, fd: number, archived: Buffer, random: Random): Promise<void> {
  const root = open(`${folder}/l`, O.RDONLY | O.DIRECTORY);
  const lower = open(`${folder}/lower`, O.RDONLY | O.DIRECTORY);
  try {
    if (random.below(4) === 0) await unpackTar(piecesOf(archived, 1 + random.below(3000)), root, LIMITS);
    else {
      const source = openSource(fd);
      const result = await unpackLayer(source.pieces, root, LIMITS);
      expect([source.digest().length, source.diffId().length]).toEqual([64, 64]);
      settleLayer(root, [lower], JSON.parse(JSON.stringify(result)) as typeof result);
    }
  } finally {
    close(root);
    close(lower);
  }
}

async function oneRound(folder: string, seed: number): Promise<boolean> {
  const random = new Random(seed);
  const archived = makeArchive(random);
  rmSync(`${folder}/l`, { recursive: true, force: true });
  mkdirSync(`${folder}/l`);
  writeFileSync(`${folder}/file`, archived);
  const fd = open(`${folder}/file`, O.RDONLY);
  try {
    await unpack(folder, fd, archived, random);
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === "ArchiveError" && !error.message.includes("\n"))
      return false;
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`, {
      cause: error,
    });
  } finally {
    close(fd);
  }
}

describe.skipIf(!isRoot)("mutated layers", () => {
  test(`${ROUNDS} of them`, async () => {
    await inFolder(async (folder) => {
      for (const name of ["lower", "lower/a", "lower/low"]) mkdirSync(`${folder}/${name}`);
      let unpacked = 0;
      await oneRound(folder, FIRST);
      const before = openFiles();
      for (let seed = FIRST; seed < FIRST + ROUNDS; seed++) if (await oneRound(folder, seed)) unpacked += 1;
      expect(readdirSync(folder).sort()).toEqual(["file", "l", "lower"]);
      expect(readdirSync(`${folder}/lower`, { recursive: true }).sort()).toEqual(["a", "low"]);
      expect(openFiles()).toEqual(before);
      // both ways are walked
      expect(unpacked).toBeGreaterThan(ROUNDS / 20);
      expect(unpacked).toBeLessThan(ROUNDS);
    });
  }, 3_600_000);
});
