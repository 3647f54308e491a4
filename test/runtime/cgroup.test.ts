import { describe, expect, test } from "bun:test";
import { DEFAULT_DEVICE_RULES, deviceLineV1, deviceProgram } from "../../src/runtime/cgroup/devices.ts";
import { parseLayout } from "../../src/runtime/cgroup/layout.ts";
import {
  type Setting,
  settingsV1,
  settingsV2,
  sharesToWeight,
  weightToV2,
} from "../../src/runtime/cgroup/limits.ts";
import type { DeviceRule } from "../../src/runtime/spec.ts";

const line = (path: string, type: string, options: string): string =>
  `31 24 0:27 / ${path} rw,nosuid,nodev,noexec,relatime shared:9 - ${type} ${type} ${options}`;
const other = "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro";

describe("how cgroups are mounted", () => {
  test("v1, a hierarchy for each controller", () => {
    const text = [
      other,
      line("/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,name=systemd"),
      line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
      line("/sys/fs/cgroup/pids", "cgroup", "rw,pids"),
      "",
    ].join("\n");
    expect(parseLayout(text)).toEqual({
      version: 1,
      hierarchies: [
        { path: "/sys/fs/cgroup/memory", controllers: ["memory"] },
        { path: "/sys/fs/cgroup/pids", controllers: ["pids"] },
      ],
      unified: undefined,
    });
  });

  test("v1, cpu and cpuacct together; controllers that are none of ours left out", () => {
    const text = [
      line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"),
      line("/sys/fs/cgroup/net_cls,net_prio", "cgroup", "rw,net_cls,net_prio"),
    ].join("\n");
    expect(parseLayout(text)).toEqual({
      version: 1,
      hierarchies: [{ path: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"] }],
      unified: undefined,
    });
  });

  test("a hierarchy that is mounted twice counts once, at its first place", () => {
    const text = [line("/a", "cgroup", "rw,memory"), line("/b", "cgroup", "rw,memory")].join("\n");
    expect(parseLayout(text)?.hierarchies).toEqual([{ path: "/a", controllers: ["memory"] }]);
  });

  test("or where it can be written to", () => {
    const seen = line("/a", "cgroup", "rw,memory").replace(" rw,nosuid", " ro,nosuid");
    const text = [seen, line("/b", "cgroup", "rw,memory"), line("/c", "cgroup2", "ro")].join("\n");
    expect(parseLayout(text)).toEqual({
      version: 1,
      hierarchies: [{ path: "/b", controllers: ["memory"] }],
      unified: undefined,
    });
    expect(parseLayout(seen)?.hierarchies).toEqual([{ path: "/a", controllers: ["memory"] }]);
  });

  test("hybrid is v1", () => {
    const text = [
      line("/sys/fs/cgroup/unified", "cgroup2", "rw,nsdelegate"),
      line("/sys/fs/cgroup/cpuset", "cgroup", "rw,cpuset"),
    ].join("\n");
    expect(parseLayout(text)).toMatchObject({
      version: 1,
      hierarchies: [{ path: "/sys/fs/cgroup/cpuset" }],
      unified: "/sys/fs/cgroup/unified",
    });
  });

  test("pure v2, and v2 beside a v1 that has no controllers", () => {
    const v2 = line("/sys/fs/cgroup", "cgroup2", "rw,nsdelegate,memory_recursiveprot");
    const expected = { version: 2, unified: "/sys/fs/cgroup", hierarchies: [] } as const;
    expect(parseLayout(`${other}\n${v2}\n`)).toEqual(expected);
    expect(parseLayout(`${v2}\n${line("/x", "cgroup", "rw,name=systemd")}`)).toEqual(expected);
    expect(parseLayout(`${v2}\n${line("/later", "cgroup2", "rw")}`)).toEqual(expected);
  });

  test("what something was mounted over later is not there", () => {
    const over = (path: string): string => line(path, "tmpfs", "rw");
    const trees = [line("/c/memory", "cgroup", "rw,memory"), line("/c/unified", "cgroup2", "rw")];
    const layout = (...lines: string[]): unknown => parseLayout([over("/c"), ...lines].join("\n"));
    expect(layout(...trees)).toMatchObject({ version: 1, unified: "/c/unified" });
    expect(layout(...trees, over("/c/unified"))).toMatchObject({ version: 1, unified: undefined });
    expect(layout(...trees, over("/c/memory"))).toMatchObject({ version: 2, unified: "/c/unified" });
    expect(layout(...trees, over("/c"))).toBeUndefined();
    expect(layout(...trees, over("/c/mem"), over("/c/unified/below"))).toMatchObject({
      version: 1,
      unified: "/c/unified",
    });
  });

  test("escaped paths", () => {
    const text = line("/my\\040cgroups\\011\\134x", "cgroup2", "rw");
    expect(parseLayout(text)).toMatchObject({ unified: "/my cgroups\t\\x" });
  });

  test("none, and names that only look like it", () => {
    expect(parseLayout(other)).toBeUndefined();
    expect(parseLayout("")).toBeUndefined();
    expect(parseLayout(line("/sys/fs/cgroup", "tmpfs", "ro,mode=755"))).toBeUndefined();
  });
});

describe("limits", () => {
  const shown = (settings: readonly Setting[]): string[] =>
    settings.map(({ controller, file, value, optional, orElse }) => {
      expect(file).toStartWith(`${controller}.`);
      return `${file}=${value}${optional ? "?" : ""}${orElse ? `|${orElse.file}=${orElse.value}` : ""}`;
    });

  test.each([
    [{}, [], []],
    [{ memory: { limit: 64 } }, ["memory.limit_in_bytes=64"], ["memory.max=64"]],
    [
      { memory: { limit: 64, swap: 128, swapOptional: true } },
      ["memory.limit_in_bytes=64", "memory.memsw.limit_in_bytes=128?"],
      ["memory.max=64", "memory.swap.max=64?"],
    ],
    [
      { memory: { limit: 64, swap: 64 } },
      ["memory.limit_in_bytes=64", "memory.memsw.limit_in_bytes=64"],
      ["memory.max=64", "memory.swap.max=0"],
    ],
    [
      { memory: { limit: 64, swap: -1 } },
      ["memory.limit_in_bytes=64", "memory.memsw.limit_in_bytes=-1"],
      ["memory.max=64", "memory.swap.max=max"],
    ],
    [{ memory: { reservation: 32 } }, ["memory.soft_limit_in_bytes=32"], ["memory.low=32"]],
    [{ memory: { limit: -1 } }, ["memory.limit_in_bytes=-1"], ["memory.max=max"]],
    [{ cpu: { shares: 1024 } }, ["cpu.shares=1024"], ["cpu.weight=100"]],
    [
      { cpu: { quota: 150000, period: 50000 } },
      ["cpu.cfs_period_us=50000", "cpu.cfs_quota_us=150000"],
      ["cpu.max=150000 50000"],
    ],
    [
      { cpu: { quota: 5000 } },
      ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=5000"],
      ["cpu.max=5000 100000"],
    ],
    [{ cpu: { quota: -1 } }, ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=-1"], ["cpu.max=max 100000"]],
    [
      { cpu: { quota: 50000, burst: 10000 } },
      ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000", "cpu.cfs_burst_us=10000"],
      ["cpu.max=50000 100000", "cpu.max.burst=10000"],
    ],
    [{ cpu: { period: 50000 } }, ["cpu.cfs_period_us=50000"], ["cpu.max=max 50000"]],
    [{ cpu: { mems: "0" } }, ["cpuset.mems=0"], ["cpuset.mems=0"]],
    [{ cpu: { cpus: "0-1,3" } }, ["cpuset.cpus=0-1,3"], ["cpuset.cpus=0-1,3"]],
    [
      {
        blockIO: {
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1024 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 5 }],
        },
      },
      ["blkio.throttle.read_bps_device=8:0 1024", "blkio.throttle.write_iops_device=8:16 5"],
      ["io.max=8:0 rbps=1024", "io.max=8:16 wiops=5"],
    ],
    [
      { cpu: { realtimePeriod: 200000, realtimeRuntime: 1000 } },
      ["cpu.rt_period_us=200000", "cpu.rt_runtime_us=1000"],
      undefined,
    ],
    [
      { blockIO: { weight: 100, weightDevice: [{ major: 8, minor: 0, weight: 1000 }] } },
      [
        "blkio.bfq.weight=100|blkio.weight=100",
        "blkio.bfq.weight_device=8:0 1000|blkio.weight_device=8:0 1000",
      ],
      ["io.bfq.weight=100|io.weight=910", "io.bfq.weight=8:0 1000|io.weight=8:0 10000"],
    ],
    [{ pids: { limit: 10 } }, ["pids.max=10"], ["pids.max=10"]],
    [{ pids: { limit: -1 } }, ["pids.max=max"], ["pids.max=max"]],
  ])("%j", (resources, v1, v2) => {
    expect(shown(settingsV1(resources))).toEqual(v1);
    if (v2) expect(shown(settingsV2(resources))).toEqual(v2);
    else expect(() => settingsV2(resources)).toThrow("cgroup v2, which this host has, does not offer it");
  });

  test("killing the whole group is v2's only", () => {
    const whole = { memory: { killGroup: true } };
    expect(shown(settingsV2(whole))).toEqual(["memory.oom.group=1"]);
    expect(() => settingsV1(whole)).toThrow("cannot set --oom-group: cgroup v1");
  });

  test("a limit of swap that was asked for may not be left out, be it the usual one", () => {
    expect(shown(settingsV1({ memory: { limit: 64, swap: 128 } }))).toContain(
      "memory.memsw.limit_in_bytes=128",
    );
    expect(shown(settingsV2({ memory: { limit: 64, swap: 128 } }))).toContain("memory.swap.max=64");
  });

  test("swappiness and a disabled OOM killer are v1's only", () => {
    const swappiness = { memory: { swappiness: 0 } };
    const patient = { memory: { disableOOMKiller: true } };
    expect(shown(settingsV1(swappiness))).toEqual(["memory.swappiness=0"]);
    expect(shown(settingsV1(patient))).toEqual(["memory.oom_control=1"]);
    expect(() => settingsV2(swappiness)).toThrow("cannot set --memory-swappiness: cgroup v2");
    expect(() => settingsV2(patient)).toThrow("cannot set --oom-kill-disable: cgroup v2");
  });

  test("weights of block I/O: both ends meet", () => {
    expect([10, 100, 500, 1000].map(weightToV2)).toEqual([1, 910, 4950, 10000]);
  });

  test("large numbers are written out", () => {
    expect(shown(settingsV2({ memory: { limit: 2 ** 50 } }))).toEqual(["memory.max=1125899906842624"]);
  });

  test.each([
    [2, 1],
    [1024, 100],
    [262144, 10000],
    [1, 1],
    [999999, 10000],
  ])("%d shares weigh %d", (shares, weight) => {
    expect(sharesToWeight(shares)).toBe(weight);
  });

  test("more shares never weigh less, and always something the kernel takes", () => {
    let last = 1;
    for (let shares = 2; shares <= 262144; shares += 7) {
      const weight = sharesToWeight(shares);
      expect(Number.isInteger(weight) && weight >= last && weight <= 10000).toBe(true);
      last = weight;
    }
  });

  test("the specification's 0 shares and 0 pids are 'not set' (runc)", () => {
    expect(settingsV2({ cpu: { shares: 0 }, pids: { limit: 0 } })).toEqual([]);
  });
});

const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** Runs the eBPF of deviceProgram as the kernel would; only the instructions that it may use. */
function allowed(
  program: BigUint64Array,
  type: "b" | "c",
  major: number,
  minor: number,
  access: string,
): boolean {
  const asked = [...access].reduce((mask, letter) => mask | (ACCESS[letter] ?? 0), 0);
  const context = new Map([
    [0, ((asked << 16) | (type === "b" ? 1 : 2)) >>> 0],
    [4, major],
    [8, minor],
  ]);
  const registers: (number | undefined)[] = [];
  const read = (register: number): number => {
    const value = registers[register];
    if (value === undefined) throw new Error(`r${register} is read before it is set`);
    return value;
  };
  for (let at = 0; at < program.length; at++) {
    const word = program[at] ?? 0n;
    const code = Number(word & 0xffn);
    const dst = Number((word >> 8n) & 15n);
    const src = Number((word >> 12n) & 15n);
    const offset = Number(BigInt.asIntN(16, word >> 16n));
    const value = Number(BigInt.asIntN(32, word >> 32n));
    if (code === 0x61) {
      expect(src).toBe(1);
      registers[dst] = context.get(offset);
    } else if (code === 0xbf) registers[dst] = read(src);
    else if (code === 0xb7) registers[dst] = value;
    else if (code === 0x57) registers[dst] = (read(dst) & value) >>> 0;
    else if (code === 0x77) registers[dst] = read(dst) >>> value;
    else if (code === 0x55) at += read(dst) === value ? 0 : offset;
    else if (code === 0x15) at += read(dst) === value ? offset : 0;
    else if (code === 0x95) return read(0) === 1;
    else throw new Error(`instruction ${code.toString(16)} at ${at}`);
  }
  throw new Error("the program runs past its end");
}

describe("devices", () => {
  test.each([
    [{ allow: false, type: "a", access: "rwm" }, "a"],
    [{ allow: true, type: "c", access: "m" }, "c *:* m"],
    [{ allow: true, type: "b", major: 8, access: "rw" }, "b 8:* rw"],
    [{ allow: true, type: "c", major: 1, minor: 3, access: "rwm" }, "c 1:3 rwm"],
    [{ allow: true, type: "c", major: 0, minor: 0, access: "r" }, "c 0:0 r"],
  ] as [DeviceRule, string][])("%j for v1", (rule, text) => {
    expect(deviceLineV1(rule)).toBe(text);
  });

  test("a rule without a type is for all (config-linux.md), not for 'undefined'", () => {
    expect(deviceLineV1({ allow: false, access: "rwm" })).toBe("a");
  });

  const program = deviceProgram(DEFAULT_DEVICE_RULES);
  test.each([
    ["c", 1, 3, "rw", true],
    ["c", 1, 3, "rwm", true],
    ["c", 1, 5, "r", true],
    ["c", 1, 7, "w", true],
    ["c", 1, 8, "r", true],
    ["c", 1, 9, "r", true],
    ["c", 5, 0, "rw", true],
    ["c", 5, 2, "rw", true],
    ["c", 136, 0, "rw", true],
    ["c", 136, 99, "rw", true],
    ["c", 1, 1, "r", false], // /dev/mem
    ["c", 1, 2, "w", false],
    ["c", 1, 11, "w", false], // /dev/kmsg
    ["c", 10, 229, "rw", false], // /dev/fuse
    ["b", 8, 0, "r", false],
    ["b", 1, 3, "r", false],
    ["b", 8, 0, "m", true],
    ["c", 10, 200, "m", true],
    ["b", 8, 0, "rm", false],
    ["b", 8, 0, "wm", false],
    ["c", 137, 0, "r", false],
    ["c", 0, 0, "r", false],
  ] as ["b" | "c", number, number, string, boolean][])(
    "%s %d:%d %s in a container: %p",
    (type, major, minor, access, verdict) => {
      expect(allowed(program, type, major, minor, access)).toBe(verdict);
    },
  );

  test("without rules everything is denied, with a last one for all it decides", () => {
    expect(allowed(deviceProgram([]), "c", 1, 3, "r")).toBe(false);
    const open = deviceProgram([
      { allow: false, type: "c", access: "rwm" },
      { allow: true, type: "a", access: "rwm" },
    ]);
    expect(allowed(open, "c", 1, 1, "rwm")).toBe(true);
    expect(open.length).toBe(8);
  });

  test("the last rule that fits decides", () => {
    const rules: DeviceRule[] = [
      { allow: true, type: "c", major: 10, access: "rwm" },
      { allow: false, type: "c", major: 10, minor: 200, access: "rwm" },
    ];
    expect(allowed(deviceProgram(rules), "c", 10, 200, "r")).toBe(false);
    expect(allowed(deviceProgram(rules), "c", 10, 201, "rw")).toBe(true);
    expect(allowed(deviceProgram(rules.toReversed()), "c", 10, 200, "r")).toBe(true);
  });

  test("denying one access denies every opening that wants it (devices.deny)", () => {
    const rules: DeviceRule[] = [
      { allow: true, type: "a", access: "rwm" },
      { allow: false, type: "b", major: 8, access: "w" },
    ];
    expect(allowed(deviceProgram(rules), "b", 8, 0, "w")).toBe(false);
    expect(allowed(deviceProgram(rules), "b", 8, 0, "rw")).toBe(false);
  });

  test("accesses that two rules allow one by one are allowed together (devices.allow)", () => {
    const rules: DeviceRule[] = [
      { allow: true, type: "c", major: 10, minor: 1, access: "r" },
      { allow: true, type: "c", major: 10, minor: 1, access: "w" },
    ];
    expect(allowed(deviceProgram(rules), "c", 10, 1, "rw")).toBe(true);
  });
});
