import { describe, expect, test } from "bun:test";
import { parseDevice, parseDeviceRule } from "../../src/cli/devices.ts";
import { parseUlimits } from "../../src/cli/ulimits.ts";

describe("--device", () => {
  test.each([
    ["/dev/a", "/dev/a", "/dev/a", "rwm"],
    ["/dev/a:/dev/b", "/dev/a", "/dev/b", "rwm"],
    ["/dev/a:r", "/dev/a", "/dev/a", "r"],
    ["/dev/a:/dev/b/:rm", "/dev/a", "/dev/b", "rm"],
  ])("%s", (text, host, container, access) => {
    expect(parseDevice(text)).toEqual({ host, container, access });
  });

  test.each(["", "a", "/dev/a:b", "/dev/a:/b:", "/dev/a:/b:rwx", "/dev/a::r", "/a:/b:r:w"])(
    "%p is none",
    (text) => {
      expect(() => parseDevice(text)).toThrow(/invalid device/);
    },
  );
});

describe("--device-cgroup-rule", () => {
  test("numbers, and stars that stand for all", () => {
    expect(parseDeviceRule("c 1:3 rw")).toEqual([
      { allow: true, type: "c", major: 1, minor: 3, access: "rw" },
    ]);
    expect(parseDeviceRule("b 8:* r")).toEqual([{ allow: true, type: "b", major: 8, access: "r" }]);
    expect(parseDeviceRule("a *:* m").map(({ type }) => type)).toEqual(["b", "c"]);
  });

  test.each(["", "c", "c 1 r", "c 1:2", "c 1:2 x", "c 1:2 rwmr", "C 1:2 r", "c 1:2 r "])(
    "%p is none",
    (text) => {
      expect(() => parseDeviceRule(text)).toThrow("invalid device cgroup format");
    },
  );
});

test("--ulimit: the last one of a name counts", () => {
  expect(parseUlimits(["core=0", "nofile=1:2", "core=-1"])).toEqual([
    { name: "core", soft: -1, hard: -1 },
    { name: "nofile", soft: 1, hard: 2 },
  ]);
  expect(() => parseUlimits(["=3"])).toThrow("invalid ulimit type");
  expect(() => parseUlimits(["nofile=99999999999999999999"])).toThrow("invalid ulimit argument");
});
