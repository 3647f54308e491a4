/** update: other limits, also for a container that runs. */
import { describe, expect, test } from "bun:test";
import {
  background,
  CGROUP2,
  fails,
  groupFile,
  mydocker,
  newName,
  ok,
  statusField,
  suite,
  testWhere,
  until,
} from "./harness.ts";

suite();

const SLEEP = ["busybox", "sleep", "1000"];
const LIMITS =
  "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}}";

describe("update", () => {
  test("memory, swap, reservation, pids and shares of a running container, and after a restart", async () => {
    const { name, id } = await background("-m", "64m", ...SLEEP);
    const flags = ["-m", "128m", "--memory-swap", "160m", "--memory-reservation", "32m"];
    expect(await ok("update", ...flags, "--pids-limit", "77", "--cpu-shares", "512", name)).toBe(name);
    for (let run = 0; run < 2; run++) {
      expect(groupFile(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(128 << 20));
      expect(groupFile(id, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")).toBe(
        String((CGROUP2 ? 32 : 160) << 20),
      );
      expect(groupFile(id, "memory", "memory.soft_limit_in_bytes", "memory.low")).toBe(String(32 << 20));
      expect(groupFile(id, "pids", "pids.max", "pids.max")).toBe("77");
      expect(groupFile(id, "cpu", "cpu.shares", "cpu.weight")).toBe(CGROUP2 ? "59" : "512");
      expect(await ok("inspect", "-f", LIMITS, name)).toBe(`${128 << 20} ${160 << 20} 77 512`);
      await ok("restart", "-t", "0", name);
    }
  });

  test("up over the old limit of swap, and down again", async () => {
    const { name, id } = await background("-m", "64m", "--memory-swap", "64m", ...SLEEP);
    for (const size of [200, 32]) {
      await ok("update", "-m", `${size}m`, "--memory-swap", `${size}m`, name);
      expect(groupFile(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(size << 20));
      expect(groupFile(id, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")).toBe(
        String((CGROUP2 ? 0 : size) << 20),
      );
    }
  });

  test("--cpus and period with quota take each other's place", async () => {
    const { name, id } = await background(...SLEEP);
    const quota = (): string[] =>
      CGROUP2
        ? groupFile(id, "cpu", "", "cpu.max").split(" ")
        : [
            groupFile(id, "cpu", "cpu.cfs_quota_us", "").replace(/^-1$/, "max"),
            groupFile(id, "cpu", "cpu.cfs_period_us", ""),
          ];
    await ok("update", "--cpus", "0.5", name);
    expect(quota()).toEqual(["50000", "100000"]);
    await ok("update", "--cpu-quota", "5000", "--cpu-period", "20000", name);
    expect(quota()).toEqual(["5000", "20000"]);
    await ok("update", "--cpu-quota", "8000", name);
    expect(quota()).toEqual(["8000", "20000"]);
    await ok("update", "--cpus", "0.1", name);
    expect(quota()).toEqual(["10000", "100000"]);
    await ok("update", "--cpu-period", "50000", name);
    expect(quota()).toEqual(["max", "50000"]);
  });

  test("what the kernel refuses leaves every limit as it was", async () => {
    const script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=30 2>/dev/null; echo full; sleep 1000";
    const { name, id } = await background(
      "-m",
      "100m",
      "--memory-swap",
      "100m",
      "busybox",
      "sh",
      "-c",
      script,
    );
    await until(async () => (await ok("logs", name)) === "full", "the memory");
    const before = await ok("inspect", "-f", LIMITS, name);
    await fails(
      1,
      /cannot set memory\./,
      "update",
      "--pids-limit",
      "5",
      "-m",
      "10m",
      "--memory-swap",
      "10m",
      name,
    );
    expect(await ok("inspect", "-f", LIMITS, name)).toBe(before);
    expect(groupFile(id, "pids", "pids.max", "pids.max")).toBe("2048");
    expect(groupFile(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(100 << 20));
    expect(await ok("exec", name, "stat", "-c", "%s", "/dev/shm/x")).toBe(String(30 << 20));
  });

  testWhere(
    !CGROUP2,
    "this kernel has no cpuset controller",
    "--cpuset-cpus of one that asked for none",
    async () => {
      const { name, id, pid } = await background("busybox", "sh", "-c", "sleep 1000 & sleep 1001; exit");
      await ok("update", "--cpuset-cpus", "1", name);
      expect(statusField(pid, "Cpus_allowed_list")).toBe("1");
      expect(await ok("exec", name, "sh", "-c", "grep Cpus_allowed_list /proc/self/status")).toMatch(/\t1$/);
      expect(groupFile(id, "cpuset", "cgroup.procs", "").split("\n")).toHaveLength(3);
      await ok("update", "--cpuset-cpus", "0", name);
      expect(statusField(pid, "Cpus_allowed_list")).toBe("0");
      await fails(1, /Requested CPUs are not available: requested 77/, "update", "--cpuset-cpus", "77", name);
      expect(await ok("inspect", "-f", "{{.HostConfig.CpusetCpus}}", name)).toBe("0");
    },
  );

  test("one that does not run, and one that is paused", async () => {
    const name = newName();
    await ok("create", "--name", name, ...SLEEP);
    await ok("update", "-m", "64m", name);
    const id = await ok("ps", "-aq");
    await ok("start", name);
    expect(groupFile(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(64 << 20));
    await ok("pause", name);
    await ok("update", "-m", "32m", name);
    expect(groupFile(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(32 << 20));
  });

  test("several at once from all sides: none is lost", async () => {
    const { name, id } = await background("-m", "64m", ...SLEEP);
    const flags = [
      ["-m", "128m"],
      ["--pids-limit", "99"],
      ["--cpu-shares", "2048"],
      ["--cpus", "0.5"],
    ];
    await Promise.all(flags.map((one) => mydocker(["update", ...one, name])));
    expect(await ok("inspect", "-f", `${LIMITS} {{.HostConfig.NanoCpus}}`, name)).toBe(
      `${128 << 20} ${256 << 20} 99 2048 500000000`,
    );
    expect(groupFile(id, "pids", "pids.max", "pids.max")).toBe("99");
    const calls = ["stop -t 0", "update --pids-limit 55", "start", "update --pids-limit 66", "restart -t 0"];
    await Promise.all(calls.map((call) => mydocker([...call.split(" "), name])));
    await ok("start", name);
    const shown = await ok("inspect", "-f", "{{.HostConfig.PidsLimit}}", name);
    expect(groupFile(id, "pids", "pids.max", "pids.max")).toBe(shown);
  });

  test("nonsense is refused", async () => {
    const { name } = await background("-m", "64m", ...SLEEP);
    await fails(1, /nothing to change/, "update", name);
    await fails(1, /requires at least 1 argument/, "update", "-m", "64m");
    await fails(125, /minimum memory limit allowed is 6MB/, "update", "-m", "1m", name);
    await fails(125, /unknown flag: --device-read-bps/, "update", "--device-read-bps", "/dev/sda:1", name);
    await fails(1, /--memory-swap is less than --memory/, "update", "--memory-swap", "32m", name);
    await fails(1, /No such container: nobody/, "update", "-m", "64m", "nobody");
  });

  test("--cpu-burst, which cannot be more than the quota", async () => {
    const { name, id } = await background("--cpus", "0.5", "--cpu-burst", "20000", ...SLEEP);
    expect(groupFile(id, "cpu", "cpu.cfs_burst_us", "cpu.max.burst")).toBe("20000");
    await ok("update", "--cpus", "0.1", "--cpu-burst", "5000", name);
    expect(groupFile(id, "cpu", "cpu.cfs_burst_us", "cpu.max.burst")).toBe("5000");
    await fails(
      125,
      /invalid CPU burst '5000'.*needs --cpus/,
      "run",
      "--cpu-burst",
      "5000",
      "busybox",
      "true",
    );
    await fails(
      125,
      /from 0 to the quota/,
      "run",
      "--cpus",
      "0.1",
      "--cpu-burst",
      "50000",
      "busybox",
      "true",
    );
  });
});
