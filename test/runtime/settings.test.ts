import { describe, expect, test } from "bun:test";
import { cgroupsPathOf, ownParents } from "../../src/runtime/cgroup/folders.ts";
import { type CgroupLayout, foldersOf, folderWith, placeOf } from "../../src/runtime/cgroup/layout.ts";
import { hierarchySettings, unifiedSettings } from "../../src/runtime/cgroup/settings.ts";
import { controllersForV2 } from "../../src/runtime/cgroup/subtree.ts";
import type { Resources } from "../../src/runtime/spec.ts";

const V2: CgroupLayout = { version: 2, hierarchies: [], unified: "/v2" };
/** Everything on v1 but memory and pids, which are in the v2 tree. */
const MIXED: CgroupLayout = {
  version: 1,
  hierarchies: [
    { path: "/cpu", controllers: ["cpu", "cpuacct"] },
    { path: "/cpuset", controllers: ["cpuset"] },
    { path: "/blkio", controllers: ["blkio"] },
    { path: "/devices", controllers: ["devices"] },
    { path: "/freezer", controllers: ["freezer"] },
  ],
  unified: "/unified",
};
const ALL: Resources = {
  memory: { limit: 64 },
  cpu: { shares: 1024, cpus: "0" },
  pids: { limit: 10 },
  blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] },
};

describe("which controller is used where", () => {
  test("pure v2: all of them there", () => {
    expect(controllersForV2(V2)).toEqual(["cpu", "cpuset", "io", "memory", "pids"]);
    const files = unifiedSettings(V2, ALL, controllersForV2(V2)).map(({ file }) => file);
    expect(files).toEqual(["memory.max", "cpu.weight", "cpuset.cpus", "pids.max", "io.max"]);
    expect(() => unifiedSettings(V2, ALL, ["cpu", "io", "memory", "pids"])).toThrow(
      "cannot set --cpuset-cpus and --cpuset-mems: this host has no cpuset cgroup controller",
    );
  });

  test("a mixed host: those that v1 has not are used in the v2 tree", () => {
    expect(controllersForV2(MIXED)).toEqual(["memory", "pids"]);
    expect(unifiedSettings(MIXED, ALL, ["memory", "pids"]).map(({ file }) => file)).toEqual([
      "memory.max",
      "pids.max",
    ]);
    expect(hierarchySettings(MIXED, ALL, ["memory", "pids"]).map(({ file }) => file)).toEqual([
      "cpu.shares",
      "cpuset.cpus",
      "blkio.throttle.read_bps_device",
    ]);
  });

  test("a mixed host whose v2 tree lacks one: nobody has it", () => {
    expect(() => hierarchySettings(MIXED, ALL, ["pids"])).toThrow(
      "cannot set memory limits: this host has no memory cgroup controller",
    );
    expect(hierarchySettings(MIXED, { cpu: { shares: 2 } }, [])).toHaveLength(1);
  });

  test("what only v2 can do is no error where memory is on v2", () => {
    const whole: Resources = { memory: { killGroup: true } };
    expect(hierarchySettings(MIXED, whole, ["memory", "pids"])).toEqual([]);
    expect(unifiedSettings(MIXED, whole, ["memory", "pids"])).toHaveLength(1);
  });
});

describe("real-time on a mixed host", () => {
  const cpu = { realtimeRuntime: 10, cpus: "0" };

  test("no error where only cpuset is on v2", () => {
    expect(unifiedSettings(MIXED, { cpu }, ["cpuset"]).map(({ file }) => file)).toEqual(["cpuset.cpus"]);
    expect(hierarchySettings(MIXED, { cpu }, ["cpuset"]).map(({ file }) => file)).toEqual([
      "cpu.rt_runtime_us",
    ]);
  });

  test("one where cpu is", () => {
    expect(() => unifiedSettings(MIXED, { cpu }, ["cpu"])).toThrow("--cpu-rt-period: cgroup v2");
  });
});

describe("the folders of a group", () => {
  test("the v2 tree first", () => {
    const place = placeOf(MIXED, "/mydocker/1");
    expect(foldersOf(place).slice(0, 2)).toEqual(["/unified/mydocker/1", "/cpu/mydocker/1"]);
    expect(folderWith(place, "cpuacct")).toEqual({ version: 1, folder: "/cpu/mydocker/1" });
    expect(folderWith(place, "memory")).toEqual({ version: 2, folder: "/unified/mydocker/1" });
    expect(foldersOf(placeOf(V2, "/a/1"))).toEqual(["/v2/a/1"]);
  });

  test("below ours, or below one that was asked for, which is not ours to remove", () => {
    expect(cgroupsPathOf("1")).toBe("/mydocker/1");
    expect(cgroupsPathOf("1", "/a/b")).toBe("/a/b/1");
    expect(cgroupsPathOf("1", "")).toBe("/1");
    expect(ownParents(["/x/mydocker/1"], "/mydocker/1")).toEqual(["/x/mydocker"]);
    expect(ownParents(["/x/a/b/1"], "/a/b/1")).toEqual([]);
  });
});
