import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { writeGzip } from "../../../src/image/tar/gzip.ts";
import { TarOutput } from "../../../src/image/tar/output.ts";
import { close, O, open } from "../../../src/linux/file.ts";
import { inFolder, openFiles } from "../support.ts";

/** Pieces in one buffer, each overwritten by the next, as those of a tar are. */
function* reused(pieces: readonly Uint8Array[], state?: { ended?: boolean }): Generator<Uint8Array, void> {
  const buffer = new Uint8Array(Math.max(...pieces.map((piece) => piece.length), 0));
  try {
    for (const piece of pieces) {
      buffer.fill(0xff);
      buffer.set(piece);
      yield buffer.subarray(0, piece.length);
    }
  } finally {
    if (state) state.ended = true;
  }
}

async function gzipTo(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const fd = open(path, O.WRONLY | O.CREAT | O.TRUNC, 0o600);
  try {
    await writeGzip(pieces, new TarOutput(fd));
  } finally {
    close(fd);
  }
}

describe("writeGzip", () => {
  const noise = new Uint8Array(3_000_000);
  for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));

  test.each([
    ["nothing", []],
    ["one byte", [new Uint8Array([7])]],
    ["noise, which grows", [noise, noise.subarray(5)]],
    [
      "text, and an empty piece",
      [Buffer.from("hello "), new Uint8Array(0), Buffer.alloc(5_000_000, "world")],
    ],
  ])("%s: the same bytes each time, and whole", async (_, pieces) => {
    await inFolder(async (folder) => {
      await gzipTo(`${folder}/out.gz`, reused(pieces));
      const packed = readFileSync(`${folder}/out.gz`);
      const plain = Buffer.concat(pieces);
      expect(gunzipSync(packed).equals(plain)).toBe(true);
      await gzipTo(`${folder}/again.gz`, reused(pieces));
      expect(readFileSync(`${folder}/again.gz`).equals(packed)).toBe(true);
      // GNU gzip, which is not ours, finds it whole
      expect(Bun.spawnSync(["gzip", "-t", `${folder}/out.gz`]).stderr.toString()).toBe("");
    });
  });

  test("a full disk ends it at once, and with it the making of pieces", async () => {
    const full = open("/dev/full", O.WRONLY);
    const state: { ended?: boolean } = {};
    try {
      const many = Array.from({ length: 100 }, () => noise);
      await expect(writeGzip(reused(many, state), new TarOutput(full))).rejects.toThrow(
        "cannot write the archive: no space left on device",
      );
      expect(state.ended).toBe(true);
    } finally {
      close(full);
    }
  });

  test("a full disk at the very end", async () => {
    const full = open("/dev/full", O.WRONLY);
    await expect(writeGzip([Buffer.from("little")], new TarOutput(full))).rejects.toThrow(
      "no space left on device",
    );
    close(full);
  });

  test("what the maker of pieces throws goes through", async () => {
    await inFolder(async (folder) => {
      const pieces = (function* (): Generator<Uint8Array> {
        yield noise;
        throw new Error("of the maker");
      })();
      await expect(gzipTo(`${folder}/out.gz`, pieces)).rejects.toThrow("of the maker");
    });
  });
});

test("a failure leaves no descriptor open", async () => {
  const full = open("/dev/full", O.WRONLY);
  const before = openFiles();
  await expect(writeGzip([new Uint8Array(5_000_000)], new TarOutput(full))).rejects.toThrow(
    "no space left on device",
  );
  expect(openFiles()).toEqual(before);
  close(full);
});
