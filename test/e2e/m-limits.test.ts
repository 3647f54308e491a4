/** What a container may use, as the kernel holds it. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import {
  background,
  CGROUP2,
  fails,
  groupFile,
  ok,
  quietly,
  statusField,
  suite,
  testWhere,
} from "./harness.ts";

suite();

const ONLY_V1 = "cgroup v2 has no such setting";

describe("memory", () => {
  test("--memory-swap is memory and swap together; --memory-reservation", async () => {
    const flags = ["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m"];
    const { id, name } = await background(...flags, "busybox", "sleep", "1000");
    expect(groupFile(id, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")).toBe(
      String((CGROUP2 ? 32 : 96) << 20),
    );
    expect(groupFile(id, "memory", "memory.soft_limit_in_bytes", "memory.low")).toBe(String(32 << 20));
    const shown = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}";
    expect(await ok("inspect", "-f", shown, name)).toBe(`${64 << 20} ${96 << 20} ${32 << 20}`);
  });

  test("they last over a stop and a start", async () => {
    const { id, name } = await background("-m", "64m", "--memory-swap", "64m", "busybox", "sleep", "1000");
    await ok("restart", "-t", "0", name);
    expect(groupFile(id, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")).toBe(
      String(CGROUP2 ? 0 : 64 << 20),
    );
  });

  test("--memory-swap -1 lifts the limit of swap", async () => {
    const { id } = await background("-m", "64m", "--memory-swap", "-1", "busybox", "sleep", "1000");
    const limit = groupFile(id, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    if (CGROUP2) expect(limit).toBe("max");
    else expect(Number(limit)).toBeGreaterThan(2 ** 60);
  });

  testWhere(!CGROUP2, ONLY_V1, "--memory-swappiness and --oom-kill-disable", async () => {
    const flags = ["-m", "64m", "--memory-swappiness", "0", "--oom-kill-disable"];
    const { id } = await background(...flags, "busybox", "sleep", "1000");
    expect(groupFile(id, "memory", "memory.swappiness", "")).toBe("0");
    expect(groupFile(id, "memory", "memory.oom_control", "")).toContain("oom_kill_disable 1");
  });

  testWhere(
    CGROUP2,
    "cgroup v1 has them",
    "what v2 does not have is refused, and nothing is left",
    async () => {
      await fails(
        125,
        /--memory-swappiness: cgroup v2/,
        "run",
        "--memory-swappiness",
        "0",
        "busybox",
        "true",
      );
      await fails(125, /--oom-kill-disable: cgroup v2/, "run", "--oom-kill-disable", "busybox", "true");
      expect(await ok("ps", "-aq")).toBe("");
    },
  );

  test.each([
    [["--memory-swap", "64m"], /--memory-swap needs --memory/],
    [["-m", "64m", "--memory-swap", "32m"], /--memory-swap is less than --memory/],
    [["-m", "64m", "--memory-swap", "-2"], /invalid size: '-2'/],
    [["--memory-reservation", "1m"], /minimum memory reservation allowed is 6MB/],
    [["-m", "32m", "--memory-reservation", "64m"], /--memory-reservation is more than --memory/],
    [["--memory-swappiness", "101"], /the range is from 0 to 100/],
    [["--kernel-memory", "64m"], /--kernel-memory cannot be set/],
  ])("%j is refused", async (flags, words) => {
    await fails(125, words, "run", ...flags, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("0 and an empty text are none given, as with Docker", async () => {
    const flags = ["--memory-swap", "0", "--memory-reservation", "", "--memory-swappiness", "-1"];
    expect(await ok("run", "--rm", ...flags, "busybox", "echo", "runs")).toBe("runs");
  });
});

/** The CPU time of a container so far, in seconds, by its group's own account. */
function cpuSeconds(id: string): number {
  return CGROUP2
    ? Number(/^usage_usec (\d+)/.exec(groupFile(id, "cpu", "", "cpu.stat"))?.[1]) / 1e6
    : Number(groupFile(id, "cpuacct", "cpuacct.usage", "")) / 1e9;
}

describe("cpu", () => {
  test("--cpu-period and --cpu-quota", async () => {
    const { id } = await background(
      "--cpu-period",
      "50000",
      "--cpu-quota",
      "20000",
      "busybox",
      "sleep",
      "1000",
    );
    expect(groupFile(id, "cpu", "cpu.cfs_quota_us", "cpu.max")).toBe(CGROUP2 ? "20000 50000" : "20000");
    expect(groupFile(id, "cpu", "cpu.cfs_period_us", "cpu.max")).toBe(CGROUP2 ? "20000 50000" : "50000");
  });

  test("a busy loop under --cpus 0.5 gets half of a core", async () => {
    const { id } = await background("--cpus", "0.5", "busybox", "sh", "-c", "while :; do :; done");
    const [before, begun] = [cpuSeconds(id), performance.now()];
    await Bun.sleep(5000);
    const share = (cpuSeconds(id) - before) / ((performance.now() - begun) / 1000);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  test("of two busy loops on one CPU, the one with three times the shares gets about three times as much", async () => {
    const pin = CGROUP2 ? [] : ["--cpuset-cpus", "0"];
    const loop = ["busybox", "sh", "-c", "while :; do :; done"];
    const large = await background("--cpu-shares", "3072", ...pin, ...loop);
    const small = await background("--cpu-shares", "1024", ...pin, ...loop);
    const before = [cpuSeconds(large.id), cpuSeconds(small.id)];
    await Bun.sleep(4000);
    const [most, least] = [large, small].map(({ id }, index) => cpuSeconds(id) - (before[index] ?? 0));
    // 3072 shares are a weight of 271 on v2, 1024 one of 100
    const ratio = (most ?? 0) / (least ?? 1);
    expect(ratio).toBeGreaterThan(2);
    expect(ratio).toBeLessThan(4);
  });

  testWhere(!CGROUP2, "this kernel has no cpuset controller", "--cpuset-mems", async () => {
    const { id, pid } = await background("--cpuset-mems", "0", "busybox", "sleep", "1000");
    expect(groupFile(id, "cpuset", "cpuset.mems", "cpuset.mems")).toBe("0");
    expect(statusField(pid, "Mems_allowed_list")).toBe("0");
    const far = ["run", "--cpuset-mems", "7", "busybox", "true"];
    await fails(125, /Requested memory nodes are not available: requested 7, available: 0/, ...far);
  });

  test.each([
    [["--cpu-period", "999"], /the minimum is 1000 \(1 ms\), the maximum 1000000/],
    [["--cpu-period", "1000001"], /the minimum is 1000 \(1 ms\), the maximum 1000000/],
    [["--cpu-quota", "999"], /the minimum is 1000 \(1 ms\)/],
    [["--cpus", "1", "--cpu-quota", "5000"], /exclude each other/],
    [["--cpuset-mems", "a"], /invalid list of memory nodes 'a'/],
  ])("%j is refused", async (flags, words) => {
    await fails(125, words, "run", ...flags, "busybox", "true");
  });
});

describe("devices", () => {
  const disks = quietly(() => readdirSync("/sys/block"), [])
    .map((name) => `/dev/${name}`)
    .filter((path) => existsSync(path));
  const isBelow = (disk: string): boolean => statSync("/var/lib").dev === statSync(disk).rdev;
  const DISK = disks.find(isBelow) ?? disks[0] ?? "";

  testWhere(
    DISK !== "" && !CGROUP2,
    "this kernel has no disk",
    "rates of a disk are held, and shown",
    async () => {
      const flags = ["--device-write-bps", `${DISK}:1mb`, "--device-read-bps", `${DISK}:2mb`];
      const more = ["--device-read-iops", `${DISK}:300`, "--device-write-iops", `${DISK}:400`];
      const { id, name } = await background(...flags, ...more, "busybox", "sleep", "1000");
      const { rdev } = statSync(DISK);
      const device = `${rdev >> 8}:${rdev & 0xff}`;
      const files = { write_bps: 1 << 20, read_bps: 2 << 20, read_iops: 300, write_iops: 400 };
      for (const [file, rate] of Object.entries(files))
        expect(groupFile(id, "blkio", `blkio.throttle.${file}_device`, "")).toBe(`${device} ${rate}`);
      expect(await ok("inspect", "-f", "{{json .HostConfig.BlkioDeviceReadIOps}}", name)).toBe(
        `[{"Path":"${DISK}","Rate":300}]`,
      );
      if (!isBelow(DISK)) return;
      const begun = performance.now();
      await ok("exec", name, "dd", "if=/dev/zero", "of=/file", "bs=256k", "count=8", "oflag=direct");
      // 2 MB at 1 MB/s, whose first slice is free
      expect(performance.now() - begun).toBeGreaterThan(1500);
    },
  );

  test.each([
    [["--device-read-bps", "sda:1mb"], /it must be \/dev\/DEVICE:RATE/],
    [["--device-read-bps", "/dev/sda"], /it must be \/dev\/DEVICE:RATE/],
    [["--device-write-iops", "/dev/sda:1mb"], /it must be a whole number above 0/],
    [["--device-write-bps", "/dev/sda:0"], /it must be a whole number above 0/],
    [["--device-write-bps", "/dev/no-such-disk:1mb"], /no such device/],
    [["--device-write-bps", "/dev/null:1mb"], /it is no block device/],
  ])("%j is refused", async (flags, words) => {
    await fails(125, words, "run", ...flags, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("--shm-size is the size of /dev/shm; 0 is the usual one", async () => {
    const size = async (...flags: string[]): Promise<string> =>
      ok("run", "--rm", ...flags, "busybox", "sh", "-c", "df -k /dev/shm | awk 'NR == 2 { print $2 }'");
    expect(await size("--shm-size", "1m")).toBe("1024");
    expect(await size("--shm-size", "0")).toBe("65536");
    expect(await size()).toBe("65536");
    await fails(125, /invalid size: '-1'/, "run", "--shm-size=-1", "busybox", "true");
  });
});
