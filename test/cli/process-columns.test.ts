import { describe, expect, test } from "bun:test";
import { readColumns } from "../../src/cli/process-columns.ts";
import type { HostFacts, ProcessFacts } from "../../src/linux/procfs.ts";

const host: HostFacts = {
  bootTime: 1_700_000_000,
  uptime: 10_000,
  memory: 1000,
  users: new Map([[33, "www-data"]]),
};
const one: ProcessFacts = {
  pid: 42,
  ppid: 7,
  uid: 33,
  command: "sh",
  args: ["sh", "-c", "a b"],
  state: "S",
  session: 42,
  processGroup: 42,
  terminal: (136 << 8) | 3,
  terminalGroup: 42,
  used: 5000,
  nice: 0,
  threads: 1,
  startTicks: 990_000,
  virtual: 2048,
  resident: 125,
};
const show = (options: readonly string[], of: Partial<ProcessFacts> = {}): string[] =>
  readColumns(options).map((column) => String(column.show({ ...one, ...of }, host)));
const headers = (...options: string[]): string =>
  readColumns(options)
    .map(({ header }) => header)
    .join(" ");

describe("the columns of top", () => {
  test("-ef, which is the default, and aux", () => {
    expect(headers()).toBe("UID PID PPID C STIME TTY TIME CMD");
    expect(headers("-ef")).toBe(headers());
    expect(headers("aux")).toBe("USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND");
  });

  test("-o, with headers of one's own, as ps spells it", () => {
    const expected = "PID %CPU WHAT";
    expect(headers("-o", "pid,pcpu,args=WHAT")).toBe(expected);
    expect(headers("-eo", "pid,%cpu,cmd=WHAT")).toBe(expected);
    expect(headers("-opid,pcpu", "args=WHAT")).toBe(expected);
  });

  test("others are refused by name", () => {
    expect(() => readColumns(["-Z"])).toThrow("cannot read ps options '-Z'");
    expect(() => readColumns(["-o"])).toThrow("cannot read ps options '-o'");
    expect(() => readColumns(["-o", "pid,constructor"])).toThrow("unknown column 'constructor'");
  });

  test("what stands in them", () => {
    expect(show(["-o", "user,pid,ppid,c,pcpu,pmem,tty,stat,time,etime,args"])).toEqual([
      "www-data",
      "42",
      "7",
      "50",
      "50.0",
      "12.5",
      "pts/3",
      "Ss+",
      "00:00:50",
      "01:40",
      "sh -c a b",
    ]);
    expect(
      show(["-o", "user,tty,stat"], { uid: 5, terminal: 0, terminalGroup: -1, nice: 5, threads: 2 }),
    ).toEqual(["5", "?", "SNsl"]);
    expect(show(["-o", "time,args"], { used: 9_000_000, args: [] })).toEqual(["1-01:00:00", "[sh]"]);
    expect(show(["-o", "args"], { args: [], state: "Z" })).toEqual(["[sh] <defunct>"]);
  });

  test("a process cannot steer the terminal by its name", () => {
    expect(show(["-o", "args,comm"], { args: ["\x1b[2J\n"], command: "a\tb" })).toEqual(["?[2J?", "a?b"]);
  });
});
