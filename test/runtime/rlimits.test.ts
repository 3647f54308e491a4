import { expect, test } from "bun:test";
import { RLIM_INFINITY, rlimitType, rlimitWords } from "../../src/runtime/rlimits.ts";

test("limits as the shim reads them: number, soft and hard in halves; -1 is all ones", () => {
  expect(rlimitType("nofile")).toBe("RLIMIT_NOFILE");
  expect(rlimitWords([{ type: "RLIMIT_NOFILE", soft: 1024, hard: 2 ** 32 + 5 }])).toEqual([7, 1024, 0, 5, 1]);
  const none = 0xffffffff;
  expect(rlimitWords([{ type: "RLIMIT_CPU", soft: -1, hard: -1 }])).toEqual([0, none, none, none, none]);
  expect(rlimitWords([{ type: "RLIMIT_AS", soft: RLIM_INFINITY, hard: RLIM_INFINITY }])).toEqual([
    9,
    none,
    none,
    none,
    none,
  ]);
  expect(rlimitWords([])).toEqual([]);
});
