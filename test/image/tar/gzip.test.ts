import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type Gzipped, writeGzip } from "../../../src/image/tar/gzip.ts";
import { packLayerGzip } from "../../../src/image/tar/pack-layer.ts";
import { close, O, open } from "../../../src/linux/file.ts";
import { inFolder } from "../support.ts";

function sha256(data: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(data).digest("hex")}`;
}

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

async function gzipTo(path: string, pieces: Iterable<Uint8Array>): Promise<Gzipped> {
  const fd = open(path, O.WRONLY | O.CREAT | O.TRUNC, 0o600);
  try {
    return await writeGzip(pieces, fd);
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
  ])("%s: the digests and sizes of both forms", async (_, pieces) => {
    await inFolder(async (folder) => {
      const told = await gzipTo(`${folder}/out.gz`, reused(pieces));
      const packed = readFileSync(`${folder}/out.gz`);
      const plain = Buffer.concat(pieces);
      expect(gunzipSync(packed).equals(plain)).toBe(true);
      expect(told).toEqual({ diffId: sha256(plain), digest: sha256(packed), size: packed.length });
      expect(await gzipTo(`${folder}/again.gz`, reused(pieces))).toEqual(told);
      // GNU gzip, which is not ours, finds it whole
      expect(Bun.spawnSync(["gzip", "-t", `${folder}/out.gz`]).stderr.toString()).toBe("");
    });
  });

  test("a full disk ends it at once, and with it the making of pieces", async () => {
    const full = open("/dev/full", O.WRONLY);
    const state: { ended?: boolean } = {};
    try {
      const many = Array.from({ length: 100 }, () => noise);
      await expect(writeGzip(reused(many, state), full)).rejects.toThrow(
        "cannot write the archive: no space left on device",
      );
      expect(state.ended).toBe(true);
    } finally {
      close(full);
    }
  });

  test("a full disk at the very end", async () => {
    const full = open("/dev/full", O.WRONLY);
    await expect(writeGzip([Buffer.from("little")], full)).rejects.toThrow("no space left on device");
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

describe("packLayerGzip", () => {
  test("a layer, with the bytes of its files", async () => {
    await inFolder(async (folder) => {
      writeFileSync(`${folder}/file`, Buffer.alloc(2_100_000, "abc"));
      const root = open(folder, O.RDONLY | O.DIRECTORY);
      const out = open(`${folder}.tgz`, O.RDWR | O.CREAT | O.EXCL, 0o600);
      try {
        const { contentSize, size, diffId } = await packLayerGzip(root, out);
        expect([contentSize, size]).toEqual([2_100_000, statSync(`${folder}.tgz`).size]);
        expect(diffId).toBe(sha256(gunzipSync(readFileSync(`${folder}.tgz`))));
        const listed = Bun.spawnSync(["tar", "-tzf", `${folder}.tgz`]);
        expect(listed.stdout.toString()).toBe("./\nfile\n");
      } finally {
        for (const fd of [root, out]) close(fd);
        Bun.spawnSync(["rm", `${folder}.tgz`]);
      }
    });
  });

  test("a failure leaves no descriptor open", async () => {
    await inFolder(async (folder) => {
      writeFileSync(`${folder}/file`, Buffer.alloc(5_000_000, crypto.getRandomValues(new Uint8Array(65536))));
      const root = open(folder, O.RDONLY | O.DIRECTORY);
      const full = open("/dev/full", O.WRONLY);
      const before = readdirSync("/proc/self/fd").length;
      await expect(packLayerGzip(root, full)).rejects.toThrow("no space left on device");
      expect(readdirSync("/proc/self/fd")).toHaveLength(before);
      for (const fd of [root, full]) close(fd);
    });
  });
});
