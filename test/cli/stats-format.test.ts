import { describe, expect, test } from "bun:test";
import { formatStats, overwriting } from "../../src/cli/stats-format.ts";
import type { Seen } from "../../src/container/stats.ts";

const running: Seen = {
  id: "1234567890",
  name: "c1",
  reference: "c",
  status: "running",
  figures: {
    cpuPercent: 150.456,
    memory: 1.5 * 2 ** 20,
    memoryLimit: 64 * 2 ** 20,
    received: 1234,
    sent: 999,
    read: 1_716_000,
    written: 0,
    pids: 12,
  },
};
const zeros = {
  cpuPercent: 0,
  memory: 0,
  memoryLimit: 0,
  received: 0,
  sent: 0,
  read: 0,
  written: 0,
  pids: 0,
};
const stopped: Seen = { ...running, name: "a-longer-name", status: "stopped", figures: zeros };
const removed: Seen = { ...running, name: "gone", status: "removed", figures: zeros };

describe("the table of stats", () => {
  test("as Docker lays it out", () => {
    expect(formatStats("table", [running, stopped, removed])).toBe(
      `CONTAINER ID   NAME            CPU %     MEM USAGE / LIMIT   MEM %     NET I/O         BLOCK I/O     PIDS
1234567890     c1              150.46%   1.5MiB / 64MiB      2.34%     1.23kB / 999B   1.72MB / 0B   12
1234567890     a-longer-name   0.00%     0B / 0B             0.00%     0B / 0B         0B / 0B       0
1234567890     gone            --        -- / --             --        --              --            --
`,
    );
    expect(formatStats("table", [])).toBe(
      "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS\n",
    );
  });

  test("templates", () => {
    expect(formatStats("{{.Container}} {{.ID}} {{.Name}} {{.PIDs}}", [running])).toBe("c 1234567890 c1 12\n");
    expect(formatStats("table {{.Container}}\\t{{.MemPerc}}", [running])).toBe(
      "CONTAINER   MEM %\nc           2.34%\n",
    );
    expect(() => formatStats("{{.Nope}}", [running])).toThrow("Nope");
  });

  test("an object a line, its keys in order", () => {
    const line =
      '{"BlockIO":"1.72MB / 0B","CPUPerc":"150.46%","Container":"c","ID":"1234567890","MemPerc":"2.34%","MemUsage":"1.5MiB / 64MiB","Name":"c1","NetIO":"1.23kB / 999B","PIDs":"12"}\n';
    expect(formatStats("json", [running, running])).toBe(line + line);
    expect(formatStats("{{json .}}", [running])).toBe(line);
    expect(formatStats("json", [])).toBe("");
  });

  test("a frame clears what it does not overwrite", () => {
    expect(overwriting("a\nb\n")).toBe("\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    expect(overwriting("")).toBe("\x1b[H\x1b[J");
  });
});
