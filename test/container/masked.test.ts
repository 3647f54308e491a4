import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { throttleFolders } from "../../src/container/masked.ts";

const cpus = mkdtempSync("/tmp/mydocker-test-cpus-");
afterAll(() => rmSync(cpus, { recursive: true }));

test("no CPU of this host has thermal_throttle: nothing to mask", () => {
  mkdirSync(`${cpus}/cpu0`);
  mkdirSync(`${cpus}/cpuidle`);
  expect(throttleFolders(cpus)).toEqual([]);
  expect(throttleFolders(`${cpus}/missing`)).toEqual([]);
});

test("each CPU's that is there, and no other folder's", () => {
  for (const folder of ["cpu0", "cpu1", "cpu10", "cpufreq"])
    mkdirSync(`${cpus}/${folder}/thermal_throttle`, { recursive: true });
  mkdirSync(`${cpus}/cpu2`);
  const expected = ["cpu0", "cpu1", "cpu10"].map((cpu) => `${cpus}/${cpu}/thermal_throttle`);
  expect(throttleFolders(cpus).sort()).toEqual(expected);
});
