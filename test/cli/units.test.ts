import { describe, expect, test } from "bun:test";
import { UsageError } from "../../src/cli/errors.ts";
import {
  humanDuration,
  humanMemory,
  humanSize,
  parseCpus,
  parseCpuset,
  parseDuration,
  parseMemory,
  parseShares,
  parseSize,
  parseTimestamp,
} from "../../src/cli/units.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("sizes", () => {
  // the cases of docker/go-units, RAMInBytes
  test.each([
    ["32", 32],
    ["32b", 32],
    ["32B", 32],
    ["32k", 32 * 1024],
    ["32K", 32 * 1024],
    ["32kb", 32 * 1024],
    ["32Kb", 32 * 1024],
    ["32Kib", 32 * 1024],
    ["32KIB", 32 * 1024],
    ["32Mb", 32 * 1024 ** 2],
    ["32Gb", 32 * 1024 ** 3],
    ["32Tb", 32 * 1024 ** 4],
    ["32 kb", 32 * 1024],
    ["32.5kB", 33280],
    ["1.5g", 1.5 * 1024 ** 3],
    ["0", 0],
  ])("%s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    "",
    "hello",
    "-32",
    " 32 ",
    "32m b",
    "32xb",
    "m",
    "1..5m",
    "12345678901234567890g",
    "1,5g",
    "NaN",
    "1e",
    "32i",
  ])("%p is none", (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
  });

  test("32bb is none: the unit b stands alone (go-units)", () => {
    expect(() => parseSize("32bb")).toThrow(UsageError);
  });

  test(".5g is half a gigabyte (go-units)", () => {
    expect(parseSize(".5g")).toBe(512 << 20);
  });

  test("memory is 6 MB at least", () => {
    expect(parseMemory("6m")).toBe(6 << 20);
    expect(() => parseMemory("6291455")).toThrow("minimum memory limit allowed is 6MB");
    // as Docker: none given
    expect(parseMemory("0")).toBeUndefined();
    expect(parseMemory("0m")).toBeUndefined();
    expect(parseCpus("0", 4)).toBeUndefined();
    expect(parseShares("0")).toBeUndefined();
  });

  test.each([
    [0, "0B"],
    [999, "999B"],
    [1000, "1kB"],
    [1024, "1.024kB"],
    [1234567, "1.235MB"],
    [123456789, "123.5MB"],
    [999999, "1000kB"],
    [4e9, "4GB"],
    [1.5e12, "1.5TB"],
    [2e15, "2PB"],
  ])("%d bytes are shown as %s", (bytes, text) => {
    expect(humanSize(bytes)).toBe(text);
  });

  test.each([
    [1234, "1.23kB"],
    [999999, "1000kB"],
    [1716224, "1.72MB"],
    [0, "0B"],
  ])("%d bytes, with three digits, as %s", (bytes, text) => {
    expect(humanSize(bytes, 3)).toBe(text);
  });

  test.each([
    [0, "0B"],
    [1023, "1023B"],
    [1024, "1KiB"],
    [1.5 * 2 ** 20, "1.5MiB"],
    [25275965440, "23.54GiB"],
    [1023.99 * 1024, "1024KiB"],
    [2 ** 40, "1TiB"],
  ])("%d bytes of memory as %s", (bytes, text) => {
    expect(humanMemory(bytes)).toBe(text);
  });
});

describe("CPUs", () => {
  test.each([
    ["1", 1e9],
    ["0.01", 1e7],
    [".5", 5e8],
    ["1.5", 1.5e9],
    ["4", 4e9],
  ])("%s", (text, nano) => {
    expect(parseCpus(text, 4)).toBe(nano);
  });

  test.each(["0.009", "4.01", "-1", "", "x", "1e1", "1,5", "NaN"])(
    "%p is out of range or no number",
    (text) => {
      expect(() => parseCpus(text, 4)).toThrow(UsageError);
    },
  );

  test("the message says how many there are", () => {
    expect(() => parseCpus("5", 4)).toThrow("range of CPUs is from 0.01 to 4.00");
  });

  test("shares are 2 to 262144", () => {
    expect([parseShares("2"), parseShares("262144")]).toEqual([2, 262144]);
    for (const text of ["1", "262145", "-5", "1.5", "", "x"])
      expect(() => parseShares(text)).toThrow(UsageError);
  });

  test("lists of CPUs", () => {
    for (const text of ["0", "0-3", "0,2", "0-1,3,5-7"]) expect(parseCpuset(text)).toBe(text);
    for (const text of ["", ",", "0,", "3-1", "a", "0-", "-1", "0 1", "0-1-2"])
      expect(() => parseCpuset(text)).toThrow(UsageError);
  });
});

describe("durations and times", () => {
  test.each([
    ["1h30m", 5400e9],
    ["1.5s", 1.5e9],
    ["10ms", 1e7],
    ["3us", 3000],
    ["3µs", 3000],
    ["5ns", 5],
  ])("%s", (text, nanoseconds) => {
    expect(parseDuration(text)).toBe(nanoseconds);
  });

  test.each(["", "10", "m", "1d", "1h 30m", "h1"])("%p is no duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  const now = Date.parse("2026-01-31T12:00:00Z");
  const at = (time: string): bigint => BigInt(Date.parse(time)) * 1_000_000n;
  test.each([
    ["2026-01-31T11:00:00Z", at("2026-01-31T11:00:00Z")],
    ["2026-01-31T11:00:00.123456789Z", at("2026-01-31T11:00:00Z") + 123456789n],
    ["2026-01-31T11:00:00.5+01:00", at("2026-01-31T10:00:00Z") + 500000000n],
    ["10m", at("2026-01-31T11:50:00Z")],
    ["1h30m", at("2026-01-31T10:30:00Z")],
    ["1136073600", 1136073600000000000n],
    ["1136073600.000000001", 1136073600000000001n],
  ])("since %s", (text, nanoseconds) => {
    expect(parseTimestamp(text, now)).toBe(nanoseconds);
  });

  test.each(["", "yesterday", "2026-13-01", "2026-01-31T25:00:00Z", "12:00"])("%p is no time", (text) => {
    expect(() => parseTimestamp(text, now)).toThrow(UsageError);
  });

  test("an hour alone is enough of a time (Docker: 2026-01-31T12)", () => {
    expect(parseTimestamp("2026-01-31T12Z", now)).toBe(at("2026-01-31T12:00:00Z"));
  });

  test("a date without a zone begins at midnight of this host's zone", async () => {
    const code = `const { parseTimestamp } = await import("${import.meta.dir}/../../src/cli/units.ts");
      console.log(String(parseTimestamp("2026-01-31", 0) - parseTimestamp("2026-01-31T00:00:00", 0)))`;
    const child = Bun.spawn([process.execPath, "-e", code], {
      env: { ...process.env, TZ: "America/New_York" },
    });
    expect((await new Response(child.stdout).text()).trim()).toBe("0");
  });

  // the cases of docker/go-units, HumanDuration
  test.each([
    [450, "Less than a second"],
    [1000, "1 second"],
    [47_000, "47 seconds"],
    [MINUTE, "About a minute"],
    [3 * MINUTE, "3 minutes"],
    [35 * MINUTE + 40_000, "35 minutes"],
    [HOUR, "About an hour"],
    [HOUR + 29 * MINUTE, "About an hour"],
    [HOUR + 30 * MINUTE, "2 hours"],
    [3 * HOUR, "3 hours"],
    [3 * HOUR + 30 * MINUTE, "4 hours"],
    [24 * HOUR, "24 hours"],
    [36 * HOUR, "36 hours"],
    [2 * DAY, "2 days"],
    [13 * DAY, "13 days"],
    [14 * DAY, "2 weeks"],
    [59 * DAY, "8 weeks"],
    [60 * DAY, "2 months"],
    [400 * DAY, "13 months"],
    [3 * 365 * DAY, "3 years"],
  ])("%d ms is %s", (span, words) => {
    expect(humanDuration(span)).toBe(words);
  });
});
