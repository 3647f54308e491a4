import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { library } from "../../src/linux/libc.ts";

const FOLDER = new URL("../../src/linux", import.meta.url).pathname;

test("each function of libc has one signature, whoever asks for it", () => {
  const signatures = new Map<string, Set<string>>();
  for (const file of readdirSync(FOLDER)) {
    const blocks = readFileSync(`${FOLDER}/${file}`, "utf8").matchAll(/= library\(\{(.*?)\}\)/gs);
    for (const [, block = ""] of blocks)
      for (const [, name = "", signature = ""] of block.matchAll(/(\w+): "([ilp]+)"/g))
        signatures.set(name, (signatures.get(name) ?? new Set()).add(signature));
  }
  expect(signatures.size).toBeGreaterThan(40);
  expect([...signatures].filter(([, given]) => given.size > 1)).toEqual([]);
});

test("what is asked for late is loaded too, and what was loaded before stays", () => {
  const early = library({ getpid: "i" });
  expect(early().getpid()).toBe(process.pid);
  const late = library({ getppid: "i", getpid: "i" });
  expect(late().getppid()).toBe(process.ppid);
  expect(late().getpid()).toBe(process.pid);
  expect(early().getpid()).toBe(process.pid);
});
