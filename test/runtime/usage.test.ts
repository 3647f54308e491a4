import { describe, expect, test } from "bun:test";
import { blocksOf, fieldOf, limitOf, trafficOf } from "../../src/runtime/cgroup/usage.ts";

describe("what the kernel's files say of a group's usage", () => {
  test("a field of a flat-keyed file", () => {
    const text = "usage_usec 12345\nuser_usec 1\nsystem_usec 2\n";
    expect(fieldOf(text, "usage_usec")).toBe(12345);
    expect(fieldOf(text, "system_usec")).toBe(2);
    expect(fieldOf(text, "usec")).toBe(0);
    expect(fieldOf("inactive_file 7", "inactive_file")).toBe(7);
    expect(fieldOf("total_inactive_file 7\ninactive_file 3\n", "inactive_file")).toBe(3);
    expect(fieldOf("", "usage_usec")).toBe(0);
    expect(fieldOf(undefined, "usage_usec")).toBe(0);
    expect(fieldOf("usage_usec x\n", "usage_usec")).toBe(0);
  });

  test("no limit of memory: a huge number on v1, max on v2", () => {
    expect(limitOf("67108864\n")).toBe(64 << 20);
    expect(limitOf("9223372036854771712\n")).toBe(Number.POSITIVE_INFINITY);
    expect(limitOf("max\n")).toBe(Number.POSITIVE_INFINITY);
    expect(limitOf(undefined)).toBe(Number.POSITIVE_INFINITY);
  });

  test("bytes of all block devices, v1 and v2", () => {
    const v1 = "8:0 Read 100\n8:0 Write 20\n8:0 Sync 1\n8:16 Read 5\n8:16 Write 0\nTotal 126\n";
    expect(blocksOf(v1)).toEqual({ read: 105, written: 20 });
    const v2 =
      "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=9 dios=1\n253:0 rbytes=1 wbytes=2 rios=1 wios=1\n7:0 \n";
    expect(blocksOf(v2)).toEqual({ read: 101, written: 22 });
    expect(blocksOf("")).toEqual({ read: 0, written: 0 });
  });

  test("traffic of all interfaces but lo", () => {
    const text = [
      "Inter-|   Receive                                                |  Transmit",
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
      "    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0",
      "  eth0:     700       7    0    0    0     0          0         0       50       1    0    0    0     0       0          0",
      "  eth1:30         1    0    0    0     0          0         0       5       1    0    0    0     0       0          0",
      "",
    ].join("\n");
    expect(trafficOf(text)).toEqual({ received: 730, sent: 55 });
    expect(trafficOf("")).toEqual({ received: 0, sent: 0 });
  });
});
