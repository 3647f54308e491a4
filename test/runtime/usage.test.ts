import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { GroupPlace } from "../../src/runtime/cgroup/layout.ts";
import {
  groupUsage,
  parseIoStat,
  parseKey,
  parseLimit,
  parseNumber,
  parseServiceBytes,
} from "../../src/runtime/cgroup/usage.ts";

describe("files of a group", () => {
  test("a number", () => {
    expect(parseNumber("123456789012\n")).toBe(123456789012);
    for (const odd of [undefined, "", "\n", "max\n", "-1\n"]) expect(parseNumber(odd)).toBe(0);
  });

  test("a key at the beginning of a line", () => {
    const text = "cache 1\ntotal_cache 2\ninactive_file 3\ntotal_inactive_file 4";
    expect(parseKey(text, "cache")).toBe(1);
    expect(parseKey(text, "inactive_file")).toBe(3);
    expect(parseKey(text, "total_inactive_file")).toBe(4);
    for (const odd of [undefined, "", "inactive_file", "inactive_files 3\n", "x inactive_file 3"])
      expect(parseKey(odd, "inactive_file")).toBe(0);
  });

  test("a limit, and none", () => {
    expect(parseLimit("67108864\n")).toBe(67108864);
    expect(parseLimit("0\n")).toBe(0);
    for (const none of ["max\n", "9223372036854771712\n", "", undefined])
      expect(parseLimit(none)).toBeUndefined();
  });

  test("bytes of all devices, v1", () => {
    const text =
      "8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:0 Total 120\n8:16 Read 1\n8:16 Write 2\nTotal 123\n";
    expect(parseServiceBytes(text)).toEqual({ read: 101, written: 22 });
    for (const odd of [undefined, "", "Total 0\n", "8:0 Read\n"])
      expect(parseServiceBytes(odd)).toEqual({ read: 0, written: 0 });
  });

  test("bytes of all devices, v2", () => {
    const text =
      "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=5 dios=0\n7:0 \n8:16 rbytes=1 wbytes=2 rios=0 wios=0\n";
    expect(parseIoStat(text)).toEqual({ read: 101, written: 22 });
    for (const odd of [undefined, "", "8:0 \n"]) expect(parseIoStat(odd)).toEqual({ read: 0, written: 0 });
  });
});

describe("what a group uses", () => {
  const top = mkdtempSync("/tmp/usage-");
  afterAll(() => rmSync(top, { recursive: true }));
  const write = (folder: string, files: Record<string, string>): string => {
    mkdirSync(`${top}/${folder}`, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(`${top}/${folder}/${name}`, text);
    return `${top}/${folder}`;
  };
  const NOTHING = { cpu: 0, memory: 0, memoryLimit: undefined, read: 0, written: 0, pids: 0 };

  test("v1, a folder for each controller", () => {
    const path = (name: string, files: Record<string, string>) => ({
      path: write(`v1/${name}`, files),
      controllers: name.split(","),
    });
    const place: GroupPlace = {
      unified: `${top}/v1/unified`,
      hierarchies: [
        path("cpu,cpuacct", { "cpuacct.usage": "123456789\n" }),
        path("memory", {
          "memory.usage_in_bytes": "1000\n",
          "memory.limit_in_bytes": "5000\n",
          "memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
        }),
        path("blkio", { "blkio.throttle.io_service_bytes_recursive": "8:0 Read 7\n8:0 Write 8\nTotal 15\n" }),
        path("pids", { "pids.current": "3\n" }),
      ],
    };
    const usage = { cpu: 123456789, memory: 700, memoryLimit: 5000, read: 7, written: 8, pids: 3 };
    expect(groupUsage(place)).toEqual(usage);
    // CPU time is told by the v2 tree too, whether or not it has the controller
    write("v1/unified", { "cpu.stat": "usage_usec 55\n" });
    const without = place.hierarchies.filter(({ controllers }) => controllers[0] !== "cpu");
    expect(groupUsage({ ...place, hierarchies: without })).toEqual({ ...usage, cpu: 55000 });
  });

  test("v2", () => {
    const unified = write("v2", {
      "cpu.stat": "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n",
      "memory.current": "1000\n",
      "memory.max": "max\n",
      "memory.stat": "anon 5\ninactive_file 300\n",
      "io.stat": "8:0 rbytes=7 wbytes=8 rios=1 wios=1 dbytes=0 dios=0\n",
      "pids.current": "3\n",
    });
    const usage = { cpu: 1234000, memory: 700, memoryLimit: undefined, read: 7, written: 8, pids: 3 };
    expect(groupUsage({ unified, hierarchies: [] })).toEqual(usage);
    // it is never less than nothing
    write("v2", { "memory.stat": "inactive_file 1001\n" });
    expect(groupUsage({ unified, hierarchies: [] }).memory).toBe(1000);
  });

  test("a group that is gone, and a host that has no such controllers", () => {
    expect(groupUsage({ unified: `${top}/gone`, hierarchies: [] })).toEqual(NOTHING);
    expect(groupUsage({ unified: undefined, hierarchies: [] })).toEqual(NOTHING);
  });
});
