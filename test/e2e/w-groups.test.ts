/** Nothing is left of a container's groups, whatever is in them. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import {
  background,
  CGROUP2,
  cgroupFolder,
  cgroupsLeft,
  mydocker,
  ok,
  quietly,
  SLOW,
  suite,
  until,
} from "./harness.ts";

suite();

/** A group below a container's, as a program with a right to it makes one. */
function innerGroup(id: string, name: string): string {
  const folder = `${cgroupFolder(id, "pids")}/${name}`;
  mkdirSync(folder);
  return folder;
}

describe("no group is left", () => {
  test("after a thousand run --rm, four at a time", async () => {
    const worker = async (): Promise<number> => {
      let failed = 0;
      for (let i = 0; i < (SLOW ? 25 : 250); i++)
        if ((await mydocker(["run", "--rm", "busybox", "true"])).code !== 0) failed++;
      return failed;
    };
    expect(await Promise.all([worker(), worker(), worker(), worker()])).toEqual([0, 0, 0, 0]);
    await until(() => cgroupsLeft().length === 0, "the groups to go");
  }, 600_000);

  test("by rm of a container whose group has groups, and a process of somebody else's", async () => {
    const { id, name } = await background("busybox", "sleep", "1000");
    const inner = innerGroup(id, "inner");
    mkdirSync(`${inner}/deeper`);
    const stranger = Bun.spawn(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]);
    await Bun.write(`${inner}/deeper/cgroup.procs`, String(stranger.pid));
    await ok("stop", "-t", "0", name);
    const begun = performance.now();
    await ok("rm", name);
    expect(performance.now() - begun).toBeLessThan(SLOW ? 10_000 : 5000);
    expect(await stranger.exited).toBe(137);
    expect(cgroupsLeft()).toEqual([]);
  });

  test("by a new start of one", async () => {
    const { id, name } = await background("busybox", "sleep", "1000");
    innerGroup(id, "inner");
    await ok("restart", "-t", "0", name);
    expect(existsSync(`${cgroupFolder(id, "pids")}/inner`)).toBe(false);
  });

  test("by rm -f of one that was frozen behind our back", async () => {
    const { id, name } = await background("busybox", "sh", "-c", "sleep 1000 & sleep 1001; exit");
    const [folder, file, word] = CGROUP2
      ? [cgroupFolder(id, ""), "cgroup.freeze", "1"]
      : [cgroupFolder(id, "freezer"), "freezer.state", "FROZEN"];
    await Bun.write(`${folder}/${file}`, word ?? "");
    const begun = performance.now();
    await ok("rm", "-f", name);
    expect(performance.now() - begun).toBeLessThan(SLOW ? 10_000 : 5000);
    expect(cgroupsLeft()).toEqual([]);
  });

  test("and a folder that somebody else keeps in ours is left to him", async () => {
    const own = CGROUP2 ? "/sys/fs/cgroup/mydocker" : "/sys/fs/cgroup/pids/mydocker";
    const { name } = await background("busybox", "sleep", "1000");
    mkdirSync(`${own}/his`);
    await ok("rm", "-f", name);
    expect(existsSync(`${own}/his`)).toBe(true);
    rmdirSync(`${own}/his`);
    await ok("run", "--rm", "busybox", "true");
    await until(() => !existsSync(own) || quietly(() => cgroupsLeft().length === 0, false), "ours to go");
  });
});
