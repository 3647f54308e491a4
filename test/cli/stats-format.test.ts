import { describe, expect, test } from "bun:test";
import { totalmem } from "node:os";
import { formatStats } from "../../src/cli/stats-format.ts";
import { humanSize, memorySize } from "../../src/cli/units.ts";
import type { Stats } from "../../src/container/stats.ts";
import type { Usage } from "../../src/runtime/cgroup/usage.ts";

const STATS: Stats = {
  id: "1234567890",
  name: "c1",
  asked: "c1",
  cpu: 1.5,
  usage: {
    cpu: 1,
    memory: 3 << 19,
    memoryLimit: 64 << 20,
    read: 1234,
    written: 0,
    processes: 3,
  },
  traffic: { received: 1_500_000, sent: 999 },
};
const STOPPED: Stats = { ...STATS, cpu: 0, usage: undefined, traffic: { received: 0, sent: 0 } };

describe("the rows of stats", () => {
  test("Docker's table", () => {
    expect(formatStats("", [STATS])).toBe(
      [
        "CONTAINER ID   NAME   CPU %     MEM USAGE / LIMIT   MEM %   NET I/O        BLOCK I/O     PIDS",
        "1234567890     c1     150.00%   1.5MiB / 64MiB      2.34%   1.5MB / 999B   1.23kB / 0B   3",
        "",
      ].join("\n"),
    );
    expect(formatStats("table", [STATS])).toBe(formatStats("", [STATS]));
    expect(formatStats("", [])).toMatch(/^CONTAINER ID .* PIDS\n$/);
  });

  test("Docker's JSON, with its keys in its order", () => {
    expect(formatStats("json", [STATS])).toBe(
      '{"BlockIO":"1.23kB / 0B","CPUPerc":"150.00%","Container":"c1","ID":"1234567890","MemPerc":"2.34%",' +
        '"MemUsage":"1.5MiB / 64MiB","Name":"c1","NetIO":"1.5MB / 999B","PIDs":"3"}\n',
    );
  });

  test("templates", () => {
    expect(formatStats("{{.Name}} {{.CPUPerc}}", [STATS, STATS])).toBe("c1 150.00%\nc1 150.00%\n");
    expect(formatStats("table {{.Container}}\t{{.PIDs}}", [STATS])).toBe("CONTAINER   PIDS\nc1          3\n");
  });

  test("what does not run uses nothing", () => {
    expect(
      formatStats("{{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}", [STOPPED]),
    ).toBe("0.00% 0B / 0B 0.00% 0B / 0B 0B / 0B 0\n");
  });

  test("without a limit, or with one above it, the host's memory is the limit", () => {
    for (const memoryLimit of [Number.POSITIVE_INFINITY, 2 ** 60])
      expect(
        formatStats("{{.MemUsage}}", [{ ...STATS, usage: { ...(STATS.usage as Usage), memoryLimit } }]),
      ).toBe(`1.5MiB / ${memorySize(totalmem())}\n`);
  });

  test.each([
    [0, "0B", "0B"],
    [999, "999B", "999B"],
    [1000, "1kB", "1000B"],
    [1023, "1.02kB", "1023B"],
    [1024, "1.02kB", "1KiB"],
    [1_234_567, "1.23MB", "1.177MiB"],
    [25_275_000_000, "25.3GB", "23.54GiB"],
  ])("%d bytes", (bytes, io, memory) => {
    expect(humanSize(bytes, 3)).toBe(io);
    expect(memorySize(bytes)).toBe(memory);
  });
});
