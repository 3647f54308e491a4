import { describe, expect, test } from "bun:test";
import { hostFacts, parseProcess, parseTraffic, processFacts } from "../../src/linux/procfs.ts";

const stat =
  "42 (a) b (c) S 7 42 41 34817 42 4194560 1 0 0 0 250 50 0 0 20 5 3 0 123400 4096 10 18446744073709551615";
const status = "Name:\ta\nUid:\t0\t33\t0\t0\nVmSize:\t   2048 kB\nVmRSS:\t 512 kB\n";

describe("a process of /proc", () => {
  test("its facts, whatever its name holds", () => {
    expect(parseProcess(stat, status, "sh\0-c\0\0")).toEqual({
      pid: 42,
      ppid: 7,
      uid: 33,
      command: "a) b (c",
      args: ["sh", "-c", ""],
      state: "S",
      session: 41,
      processGroup: 42,
      terminal: 34817,
      terminalGroup: 42,
      used: 300,
      nice: 5,
      threads: 3,
      startTicks: 123400,
      virtual: 2048,
      resident: 512,
    });
  });

  test("no arguments and no memory; no such file", () => {
    expect(parseProcess(stat, "Uid:\t0\t0\t0\t0\n", "")).toMatchObject({ args: [], virtual: 0, resident: 0 });
    expect(parseProcess("", "", "")).toBeUndefined();
    expect(processFacts(2 ** 22 + 1)).toBeUndefined();
  });

  test("this one, and its host", () => {
    const { pid, ppid } = process;
    expect(processFacts(pid)).toMatchObject({ pid, ppid, uid: process.geteuid?.() });
    const { users, uptime, bootTime } = hostFacts();
    expect(users.get(0)).toBe("root");
    expect(Math.abs(bootTime + uptime - Date.now() / 1000)).toBeLessThan(5);
  });
});

describe("/proc/PID/net/dev", () => {
  const head =
    "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

  test("all interfaces but lo", () => {
    const lines = `    lo:    7000      70    0    0    0     0          0         0     7000      70    0    0    0     0       0          0
  eth0:12345678     100    0    0    0     0          0         0      200       3    0    0    0     0       0          0
eth1:1: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0
`;
    expect(parseTraffic(head + lines)).toEqual({ received: 12345679, sent: 202 });
  });

  test("none, and odd ones", () => {
    for (const text of ["", head, "eth0:\n", "eth0: 1 2 3\n", "what is this\n"])
      expect(parseTraffic(text)).toEqual({ received: 0, sent: 0 });
  });
});
