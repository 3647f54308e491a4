import { expect, test } from "bun:test";
import { cpuNumbers, requireCpus } from "../../src/runtime/cgroup/cpus.ts";

test("lists of CPUs", () => {
  expect(cpuNumbers("0")).toEqual([0]);
  expect(cpuNumbers("0-2,5,7-8")).toEqual([0, 1, 2, 5, 7, 8]);
  expect(cpuNumbers("")).toEqual([]);
});

test("CPUs that are not there are told with those that are", () => {
  requireCpus("0-1", "0-3");
  requireCpus("3,0", "0-1,3");
  expect(() => requireCpus("0,9", "0-1")).toThrow(
    "Requested CPUs are not available: requested 0,9, available: 0-1",
  );
  expect(() => requireCpus("2", "0-1,3")).toThrow("requested 2, available: 0-1,3");
});
