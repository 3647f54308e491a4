import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { close, O, open } from "../../src/linux/file.ts";
import { HoleWriter, isHole } from "../../src/linux/holes.ts";

const zeros = new Uint8Array(3 << 20);
const almost = zeros.slice();
almost[(2 << 20) + 5] = 1;

test.each([
  ["zeros", zeros, true],
  ["zeros but for one byte", almost, false],
  ["a few zeros", zeros.subarray(0, 512), false],
  ["nothing", zeros.subarray(0, 0), false],
  ["text", Buffer.alloc(8192, "x"), false],
])("%s", (_, data, hole) => {
  expect(isHole(data)).toBe(hole);
});

test.each([
  ["a hole in the middle", [Buffer.from("begin"), zeros, Buffer.from("end")]],
  ["a hole at the beginning", [zeros, Buffer.from("end")]],
  ["a hole at the end", [Buffer.from("begin"), zeros]],
  ["nothing but a hole", [zeros, zeros]],
  ["no hole", [almost, Buffer.from("end")]],
])("a file with %s reads as what was written, and takes room only for what is no hole", (name, pieces) => {
  const folder = mkdtempSync("/var/tmp/mydocker-holes-");
  try {
    const fd = open(`${folder}/file`, O.WRONLY | O.CREAT | O.EXCL, 0o600);
    const writer = new HoleWriter(fd);
    for (const piece of pieces) writer.write(piece);
    writer.end();
    close(fd);
    expect(readFileSync(`${folder}/file`).equals(Buffer.concat(pieces))).toBe(true);
    const { blocks } = statSync(`${folder}/file`);
    if (name === "no hole") expect(blocks * 512).toBeGreaterThan(2 << 20);
    else expect(blocks * 512).toBeLessThan(1 << 20);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
