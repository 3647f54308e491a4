/** Groups of processes: that a container neither changes nor leaves its own, nor escapes by them. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import {
  background,
  CGROUP2,
  cgroupFolder,
  fails,
  mydocker,
  newName,
  ok,
  type Result,
  scratch,
  start,
  suite,
  testWhere,
} from "../e2e/harness.ts";
import { inside, memoryOf, says, some } from "./probes.ts";

suite();

const FREE = ["--security-opt", "seccomp=unconfined"];
/** Where a container sees the limit of its processes. */
const PIDS = CGROUP2 ? "/sys/fs/cgroup/pids.max" : "/sys/fs/cgroup/pids/pids.max";

describe("the cgroup tree in a container", () => {
  test("CVE-2023-25809: nothing in it can be written, or made", async () => {
    const folder = PIDS.slice(0, PIDS.lastIndexOf("/"));
    for (const line of [`echo max > ${PIDS}`, `mkdir ${folder}/new`, `echo 1 > ${folder}/cgroup.procs`])
      expect({ line, ...(await inside(line)) }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Read-only"),
      });
    // where it was asked for, it can
    const open = ["--security-opt", "writable-cgroups=true"];
    expect(await says(`mkdir ${folder}/new && rmdir ${folder}/new && echo done`, ...open)).toBe("done");
  });

  test("CVE-2023-25809: nor made writable, with or without a user namespace of one's own", async () => {
    const remount =
      "mount -o remount,rw /sys/fs/cgroup; mount -o remount,bind,rw /sys/fs/cgroup; mount -o remount,rw,bind /proc/sys";
    const write = `echo max > ${PIDS}; [ -w ${PIDS} ] && (: >> ${PIDS}) && echo WRITTEN; (: >> /proc/sys/kernel/core_pattern) && echo WRITTEN; true`;
    const lines = [
      `${remount}; ${write}`,
      `unshare -Urm sh -c '${remount}; ${write}'`,
      `unshare -Urmp --fork sh -c 'mount -t proc proc /proc; ${remount}; ${write}'`,
    ];
    for (const line of lines)
      for (const options of [[], FREE])
        expect({ line, options, stdout: (await inside(line, ...options)).stdout }).toEqual({
          line,
          options,
          stdout: "",
        });
    // who has the right to mount can
    expect((await inside(`${remount}; ${write}`, ...FREE, "--cap-add", "SYS_ADMIN")).stdout).toContain(
      "WRITTEN",
    );
  });

  testWhere(
    !CGROUP2,
    "cgroup v2 has no release_agent",
    "CVE-2022-0492: release_agent, by what is mounted and by a mount of one's own",
    async () => {
      const before = readFileSync("/sys/fs/cgroup/memory/release_agent", "utf8");
      const mount =
        "mkdir -p /m; for k in memory pids rdma cpuset; do mount -t cgroup -o $k x /m 2>/dev/null && break; done";
      const write =
        "for f in /sys/fs/cgroup/*/release_agent /m/release_agent; do [ -e $f ] && (echo /evil > $f) 2>/dev/null && echo WRITTEN; done; true";
      // busybox's unshare makes no cgroup namespaces: the host's own programs do
      const attack = (line: string, ...options: string[]): Promise<Result> =>
        mydocker(["run", "--rm", "--network", "none", ...options, "--rootfs", "/", "sh", "-c", line]);
      for (const options of [[], FREE])
        for (const line of [`${mount}; ${write}`, `unshare -UrmC sh -c '${mount}; ${write}'`])
          expect({ options, line, stdout: (await attack(line, ...options)).stdout }).toEqual({
            options,
            line,
            stdout: "",
          });
      expect((await attack("unshare -UrmC sh -c 'mount -t tmpfs x /mnt && echo OWN'", ...FREE)).stdout).toBe(
        "OWN\n",
      );
      expect(readFileSync("/sys/fs/cgroup/memory/release_agent", "utf8")).toBe(before);
    },
  );

  test("CVE-2022-0492: it is the container's own, and says nothing of those above", async () => {
    const lines = (await says("cat /proc/self/cgroup")).split("\n");
    for (const line of lines) expect(line).toMatch(/^\d+:[^:]*:\/$/);
    expect(readFileSync("/proc/self/cgroup", "utf8")).not.toBe("");
    expect(await says("cat /proc/self/mountinfo | awk '$5 ~ /cgroup/ { print $4 }' | sort -u")).toBe("/");
  });
});

describe("what is to be of the container's group", () => {
  test("exec: what it starts is held to the container's devices and processes, also with all rights", async () => {
    const { name, id } = await background("--pids-limit", "20", "busybox", "sleep", "1000");
    await ok("exec", name, "mknod", "/messages", "c", "1", "11");
    for (const options of [[], ["--privileged"]])
      expect(await mydocker(["exec", ...options, name, "sh", "-c", ": >> /messages"])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("not permitted"),
      });
    await ok("exec", "-d", name, "sleep", "1234");
    const pids = readFileSync(`${cgroupFolder(id, "pids")}/cgroup.procs`, "utf8")
      .trim()
      .split("\n");
    const commands = pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    expect(commands).toContain("sleep\u00001234\u0000");
    const bomb = "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done 2>&1; true";
    expect(
      (await mydocker(["exec", name, "sh", "-c", bomb])).stderr + (await ok("logs", name)),
    ).toBeDefined();
    expect(Number(readFileSync(`${cgroupFolder(id, "pids")}/pids.current`, "utf8"))).toBeLessThanOrEqual(20);
  });

  test("CVE-2024-3154, CVE-2022-0811: names of groups that lead elsewhere, or are more than names", async () => {
    const marker = `${scratch()}/marker`;
    writeFileSync(marker, "");
    for (const parent of some([
      "../../../../../../tmp/x",
      "/../x",
      "/a/../../b",
      "a\nb",
      "a/./..",
      "-.slice\nExecStart=touch",
    ])) {
      const name = newName();
      const { code } = await mydocker(["run", "--name", name, "--cgroup-parent", parent, "busybox", "true"]);
      expect({ parent, code }).not.toEqual({ parent, code: 0 });
      expect(existsSync("/tmp/x")).toBe(false);
    }
    expect(readFileSync(marker, "utf8")).toBe("");
  });

  test("CVE-2018-20699: a list of CPUs that is two thousand million long", async () => {
    for (const list of some([
      "0-2147483647",
      "1-9999999999999999",
      `0${",0-4000000000".repeat(50)}`,
      "0-18446744073709551615",
    ])) {
      const child = start(["run", "--rm", "--cpuset-cpus", list, "busybox", "true"], { timeout: 20_000 });
      const memory = await memoryOf(child);
      expect({ list, code: child.exitCode }).toEqual({ list, code: 125 });
      expect(memory).toBeLessThan(300 << 20);
    }
  });

  test("CVE-2018-20699: limits that overflow when they are multiplied or cut", async () => {
    for (const args of [
      ["-m", "99999999999999999999g"],
      ["--pids-limit", "99999999999999999999"],
      ["--cpus", "1e308"],
      ["--shm-size", "18446744073709551617"],
      ["--ulimit", "nofile=18446744073709551617"],
    ])
      await fails(125, /./, "run", "--rm", ...args, "busybox", "true");
  });
});
