import { describe, expect, test } from "bun:test";
import { MS } from "../../src/linux/mount.ts";
import { planRoot, type RootStep } from "../../src/runtime/rootplan.ts";
import type { Mount, Spec } from "../../src/runtime/spec.ts";

function spec(mounts: readonly Mount[], changes: { terminal?: boolean; cwd?: string } = {}): Spec {
  const none: readonly string[] = [];
  const sets = { bounding: none, effective: none, permitted: none, inheritable: none, ambient: none };
  return {
    ociVersion: "1.2.0",
    process: {
      terminal: changes.terminal ?? false,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: [],
      cwd: changes.cwd ?? "/",
      capabilities: sets,
    },
    root: { path: "/r", readonly: false },
    hostname: "h",
    mounts,
    linux: {
      cgroupsPath: "/c",
      namespaces: [],
      resources: {},
      maskedPaths: ["/proc/kcore", "/sys/firmware"],
      readonlyPaths: ["/proc/sys"],
    },
  };
}

const tmpfs: Mount = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
const only = (mount: Mount): RootStep | undefined => planRoot(spec([mount]))[0];
const bindOf = (...options: string[]): RootStep | undefined =>
  only({ destination: "/b", source: "/a", options: [...options] });

describe("the plan of a root", () => {
  test("mounts in the spec's order, devices and links right behind /dev, masks and read-only paths last", () => {
    const plan = planRoot(
      spec(
        [
          { destination: "/proc", type: "proc" },
          tmpfs,
          { destination: "/dev/pts", type: "devpts", options: ["gid=5"] },
          { destination: "/data", source: "/srv", options: ["rbind"] },
        ],
        { terminal: true, cwd: "/work" },
      ),
    );
    const order = plan.map((step) => step.op).filter((op, index, all) => op !== all[index - 1]);
    expect(order).toEqual([
      "proc",
      "filesystem",
      "device",
      "link",
      "pts",
      "bind",
      "console",
      "folder",
      "mask",
      "readonly",
    ]);
    expect(plan).toContainEqual({ op: "console", path: "/dev/console" });
    expect(plan).toContainEqual({ op: "folder", path: "/work" });
    expect(plan.slice(-3)).toEqual([
      { op: "mask", path: "/proc/kcore" },
      { op: "mask", path: "/sys/firmware" },
      { op: "readonly", path: "/proc/sys" },
    ]);
  });

  test("the specification's devices and links", () => {
    const plan = planRoot(spec([tmpfs]));
    const devices = plan.flatMap((step) =>
      step.op === "device" ? [`${step.path} ${step.major}:${step.minor}`] : [],
    );
    expect(devices.sort()).toEqual([
      "/dev/full 1:7",
      "/dev/null 1:3",
      "/dev/random 1:8",
      "/dev/tty 5:0",
      "/dev/urandom 1:9",
      "/dev/zero 1:5",
    ]);
    const links = plan.flatMap((step) => (step.op === "link" ? [`${step.path} -> ${step.target}`] : []));
    expect(links.sort()).toEqual([
      "/dev/fd -> /proc/self/fd",
      "/dev/ptmx -> pts/ptmx",
      "/dev/stderr -> /proc/self/fd/2",
      "/dev/stdin -> /proc/self/fd/0",
      "/dev/stdout -> /proc/self/fd/1",
    ]);
  });

  test("no console without a terminal, no devices without /dev", () => {
    const ops = planRoot(spec([{ destination: "/proc", type: "proc" }])).map((step) => step.op);
    for (const op of ["console", "device", "link"] as const) expect(ops).not.toContain(op);
  });

  test("a /dev that is bound from the host gets no devices or links of ours (runc, needsSetupDev)", () => {
    const plan = planRoot(spec([{ destination: "/dev", source: "/dev", options: ["rbind"] }]));
    expect(plan.filter((step) => step.op === "device" || step.op === "link")).toEqual([]);
  });
});

describe("devices that were asked for", () => {
  const zero = { type: "c", major: 1, minor: 5, fileMode: 0o640, uid: 0, gid: 6 } as const;
  const plan = (mount: Mount, ...paths: string[]): readonly RootStep[] => {
    const { linux, ...rest } = spec([mount, { destination: "/data", source: "/srv", options: ["rbind"] }]);
    return planRoot({ ...rest, linux: { ...linux, devices: paths.map((path) => ({ ...zero, path })) } });
  };

  test("once all is mounted", () => {
    const steps = plan(tmpfs, "/dev/x");
    const at = steps.findIndex(({ op }) => op === "node");
    expect(at).toBeGreaterThan(steps.findIndex(({ op }) => op === "bind"));
    expect(steps[at]).toEqual({ op: "node", path: "/dev/x", ...zero, ownDev: true });
  });

  test("in place of the usual devices and links", () => {
    const steps = plan(tmpfs, "/dev/null", "/dev/stdin");
    for (const path of ["/dev/null", "/dev/stdin"])
      expect(steps.flatMap((step) => ("path" in step && step.path === path ? [step.op] : []))).toEqual([
        "node",
      ]);
  });

  test("a /dev of the user's is not the container's own", () => {
    const steps = plan({ destination: "/dev", source: "/dev", options: ["rbind"] }, "/dev/x");
    expect(steps.find(({ op }) => op === "node")).toMatchObject({ ownDev: false });
  });
});

describe("one mount", () => {
  test("a file system: options are flags or its own data", () => {
    expect(
      only({
        destination: "/t",
        type: "tmpfs",
        options: ["nosuid", "noexec", "nodev", "ro", "mode=1777", "size=64k"],
      }),
    ).toEqual({
      op: "filesystem",
      type: "tmpfs",
      target: "/t",
      flags: MS.NOSUID | MS.NOEXEC | MS.NODEV | MS.RDONLY,
      data: "mode=1777,size=64k",
    });
    expect(only({ destination: "/t", type: "tmpfs", options: ["rw", "strictatime"] })).toMatchObject({
      flags: MS.STRICTATIME,
      data: "",
    });
    expect(only({ destination: "/t", type: "sysfs" })).toMatchObject({ flags: 0, data: "" });
  });

  test("those with a step of their own", () => {
    expect(only({ destination: "/proc", type: "proc", options: ["nosuid"] })).toEqual({
      op: "proc",
      target: "/proc",
    });
    expect(
      only({ destination: "/dev/pts", type: "devpts", options: ["nosuid", "newinstance", "gid=5"] }),
    ).toEqual({
      op: "pts",
      target: "/dev/pts",
      data: "gid=5",
    });
    expect(only({ destination: "/c", type: "cgroup", options: ["nosuid", "ro"] })).toEqual({
      op: "cgroup",
      target: "/c",
      readOnly: true,
    });
  });

  test.each([
    [["bind"], { recursive: false, readOnly: false, propagation: MS.PRIVATE | MS.REC }],
    [["rbind"], { recursive: true, readOnly: false, propagation: MS.PRIVATE | MS.REC }],
    [["rbind", "ro"], { recursive: true, readOnly: "itself", propagation: MS.PRIVATE | MS.REC }],
    [["rbind", "rro"], { recursive: true, readOnly: "all", propagation: MS.PRIVATE | MS.REC }],
    [["rbind", "rw", "private"], { recursive: true, readOnly: false, propagation: MS.PRIVATE }],
    [["rbind", "shared"], { recursive: true, readOnly: false, propagation: MS.SHARED }],
    [["rbind", "rshared"], { recursive: true, readOnly: false, propagation: MS.SHARED | MS.REC }],
    [["slave", "bind"], { recursive: false, readOnly: false, propagation: MS.SLAVE }],
    [["rslave", "bind"], { recursive: false, readOnly: false, propagation: MS.SLAVE | MS.REC }],
  ] as const)("a bind with %p", (options, expected) => {
    expect(bindOf(...options)).toEqual({ op: "bind", source: "/a", target: "/b", ...expected });
  });

  test("a part of what is bound is looked for inside it", () => {
    const mount = { destination: "/b", source: "/a", options: ["rbind"], subpath: "x/y" };
    expect(only(mount)).toMatchObject({ op: "bind", source: "/a", subpath: "x/y" });
    expect(bindOf("rbind")).not.toHaveProperty("subpath");
  });

  test("a read-only root is sealed when all is made in it", () => {
    const plain = spec([tmpfs], { terminal: true });
    const plan = planRoot({ ...plain, root: { ...plain.root, readonly: true } });
    expect(plan.at(-1)).toEqual({ op: "seal", path: "/" });
    expect(planRoot(plain).some(({ op }) => op === "seal")).toBe(false);
  });

  test("flags of a file system in memory are flags, the rest is its own", () => {
    const options = ["noexec", "noatime", "sync", "size=1m", "mode=700"];
    expect(only({ destination: "/t", type: "tmpfs", options })).toMatchObject({
      flags: MS.NOEXEC | MS.NOATIME | MS.SYNCHRONOUS,
      data: "size=1m,mode=700",
    });
  });

  test("a bind is one by its options, whatever its type says", () => {
    expect(only({ destination: "/b", type: "proc", source: "/a", options: ["bind"] })?.op).toBe("bind");
  });
});
