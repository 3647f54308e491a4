import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { capabilityMask, DEFAULT_CAPABILITIES } from "../../src/runtime/capabilities.ts";
import { encodeOrders, type Orders } from "../../src/runtime/orders.ts";
import { FD, FIELDS, FLAG, fieldSize, MESSAGE, ROLE, STAGES, wireHeader } from "../../src/runtime/wire.ts";

type Decoded = Record<string, number | bigint | string | readonly string[] | readonly number[]>;

/** Reads orders as the C shim does: by the field table alone. */
function decode(bytes: Uint8Array): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const textAt = (at: number): string => decoder.decode(bytes.subarray(at, bytes.indexOf(0, at)));
  const decoded: Decoded = {};
  let at = 0;
  for (const [name, kind] of Object.entries(FIELDS)) {
    if (kind === "u32") decoded[name] = view.getUint32(at, true);
    else if (kind === "u64") decoded[name] = view.getBigUint64(at, true);
    else {
      let start = view.getUint32(at, true);
      const count = view.getUint32(at + 4, true);
      if (kind === "text") decoded[name] = count === 0 ? "" : textAt(start);
      else if (kind === "words")
        decoded[name] = Array.from({ length: count }, (_, index) => view.getUint32(start + 4 * index, true));
      else
        decoded[name] = Array.from({ length: count }, () => {
          const text = textAt(start);
          start += new TextEncoder().encode(text).length + 1;
          return text;
        });
    }
    at += fieldSize(kind);
  }
  return decoded;
}

const full: Orders = {
  magic: 0x6d796431n,
  capBounding: 0xffffffffffffffffn,
  capEffective: 1n << 40n,
  uid: 0x7fffffff,
  gid: 5,
  umask: 0o22,
  argv: ["sh", "-c", "echo äöü €", "", "x\ny"],
  env: ["A=1", "B="],
  cwd: "/wörk",
  hostname: "h",
  groups: [0, 4294967295, 7],
  joins: [],
  reports: ["exit.json", '{"a":"@CODE@"}'],
  undo: ["umount /m"],
};

describe("orders", () => {
  test("come back as they were", () => {
    expect(decode(encodeOrders(full))).toMatchObject(full);
  });

  test("what is left out is zero or empty", () => {
    const decoded = decode(encodeOrders({}));
    for (const [name, kind] of Object.entries(FIELDS)) {
      const empty = kind === "u32" ? 0 : kind === "u64" ? 0n : kind === "text" ? "" : [];
      expect(decoded[name]).toEqual(empty);
    }
  });

  test("an empty text counts 0, an empty text among others stays", () => {
    const decoded = decode(encodeOrders({ cwd: "", hostname: "", argv: ["", "a", ""], env: [] }));
    expect([decoded.cwd, decoded.hostname, decoded.argv, decoded.env]).toEqual(["", "", ["", "a", ""], []]);
  });

  test("words are aligned whatever stands before them", () => {
    for (const cwd of ["", "/", "/a", "/ab", "/abc"]) {
      const bytes = encodeOrders({ cwd, groups: [1, 2] });
      expect(decode(bytes)).toMatchObject({ cwd, groups: [1, 2] });
      expect(bytes.length % 4).toBe(0);
    }
  });

  test("a list with a NUL is refused: the program would get another one", () => {
    expect(() => encodeOrders({ argv: ["a", "b\0c"] })).toThrow("NUL");
    expect(() => encodeOrders({ env: ["A=\0"] })).toThrow("NUL");
  });

  test("so is a text with a NUL", () => {
    expect(() => encodeOrders({ cwd: "/a\0b" })).toThrow("NUL");
  });

  test("many and long texts", () => {
    const argv = Array.from({ length: 5000 }, (_, index) => "x".repeat(index % 300));
    expect(decode(encodeOrders({ argv })).argv).toEqual(argv);
  });
});

describe("the wire", () => {
  test("the header compiles, with the offsets that TypeScript uses", async () => {
    const folder = mkdtempSync(`${tmpdir()}/mydocker-wire-`);
    try {
      writeFileSync(`${folder}/wire.h`, wireHeader());
      const fixed = Object.values(FIELDS).reduce((size, kind) => size + fieldSize(kind), 0);
      writeFileSync(
        `${folder}/test.c`,
        `#include "wire.h"\n#include "wire.h"\n_Static_assert(sizeof(struct orders) - ${fixed} < 8, "size");
        _Static_assert(sizeof(struct message) == 16, "message");\nint use(struct orders *o) { return FD_PTY_MASTER + o->cap_bounding; }\n`,
      );
      const gcc = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", folder];
      const child = Bun.spawn([...gcc, `${folder}/test.c`], { stderr: "pipe" });
      expect(await new Response(child.stderr).text()).toBe("");
      expect(await child.exited).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("numbers are told apart: flags are single bits, the rest is unique", () => {
    const bits = Object.values(FLAG);
    expect(bits.every((bit) => (bit & (bit - 1)) === 0)).toBe(true);
    for (const table of [FLAG, MESSAGE, ROLE, FD]) {
      const numbers: number[] = Object.values(table);
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    expect(Math.min(...Object.values(FD))).toBeGreaterThan(2);
  });

  test("every name of the C files is one of the header", () => {
    const known = new Set(wireHeader().match(/\b(?:FD|ROLE|FLAG|MESSAGE|STAGE)_[A-Z_]+\b/g));
    const files = new Bun.Glob("*.{c,h}").scanSync(`${import.meta.dir}/../../csrc`);
    for (const file of files) {
      const text = readFileSync(`${import.meta.dir}/../../csrc/${file}`, "utf8");
      for (const name of text.match(/\b(?:ROLE|FLAG|MESSAGE|STAGE)_[A-Z_]+\b/g) ?? [])
        expect(known).toContain(name);
    }
    expect(Object.keys(STAGES)[0]).toBe("none");
  });
});

describe("capabilities", () => {
  test("numbers are the kernel's", () => {
    const header = readFileSync("/usr/include/linux/capability.h", "utf8");
    const defined = [...header.matchAll(/^#define (CAP_[A-Z_]+)\s+([0-9]+)$/gm)];
    expect(defined.length).toBeGreaterThan(36);
    for (const [, name = "", number = ""] of defined)
      expect([name, capabilityMask([name])]).toEqual([name, 1n << BigInt(number)]);
  });

  test("Docker's default set", () => {
    // CapEff of a process in a plain docker container
    expect(capabilityMask(DEFAULT_CAPABILITIES)).toBe(0xa80425fbn);
  });

  test("none, several, twice the same, and one that is none", () => {
    expect(capabilityMask([])).toBe(0n);
    expect(capabilityMask(["CAP_CHOWN", "CAP_KILL", "CAP_CHOWN"])).toBe(0b100001n);
    for (const name of ["CAP_NOPE", "", "CAP_", "cap_kill"])
      expect(() => capabilityMask([name])).toThrow("unknown capability");
  });
});
