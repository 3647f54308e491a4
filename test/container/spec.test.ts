import { describe, expect, test } from "bun:test";
import { Paths } from "../../src/container/paths.ts";
import type { ContainerRecord, Volume } from "../../src/container/record.ts";
import { resourcesOf } from "../../src/container/resources.ts";
import {
  DEFAULT_PATH,
  firstEnvironment,
  makeProcess,
  makeSpec,
  mergeEnvironments,
  withHome,
} from "../../src/container/spec.ts";
import { DEFAULT_CAPABILITIES } from "../../src/runtime/capabilities.ts";
import type { Spec } from "../../src/runtime/spec.ts";

const paths = new Paths("/var/lib/mydocker", "/run/mydocker");
const someone = { uid: 1000, gid: 1001, groups: [10], home: "/home/a" };
const options = { args: ["sh"], env: ["A=1"], cwd: "/", terminal: false };

const record: ContainerRecord = {
  id: "1234567890",
  name: "c1",
  created: "2026-01-31T12:00:00.000Z",
  image: "busybox",
  imageId: "sha256:0",
  layers: ["/l"],
  entrypoint: [],
  command: ["sh", "-c", "ls"],
  user: "",
  volumes: [],
  limits: {},
  network: "none",
  stdin: false,
  autoRemove: false,
  stopSignal: "SIGTERM",
  labels: {},
};

function made(changes: Partial<ContainerRecord> = {}): Spec {
  const changed = { ...record, ...changes };
  return makeSpec(
    paths,
    changed,
    "host",
    makeProcess(options, someone, { limits: {} }),
    resourcesOf(changed.limits),
  );
}

const volume = (destination: string, more: Partial<Volume> = {}): Volume => ({
  source: `/host${destination}`,
  destination,
  readOnly: false,
  ...more,
});

const destinations = (spec: Spec): string[] => spec.mounts.map((mount) => mount.destination);

describe("the environment", () => {
  test("a later value replaces an earlier one at its place; a bare name removes it", () => {
    expect(mergeEnvironments([["A=1", "B=2"], ["A=3"], ["C=4", "B"]])).toEqual(["A=3", "C=4"]);
    expect(mergeEnvironments([["A=1"], ["A"], ["A=2"]])).toEqual(["A=2"]);
    expect(mergeEnvironments([["A=x=y", "B="], ["NONE"]])).toEqual(["A=x=y", "B="]);
    expect(mergeEnvironments([])).toEqual([]);
  });

  test("names are told apart by case and as a whole", () => {
    expect(mergeEnvironments([["PATH=1", "path=2", "PATHX=3"], ["PATH=4"]])).toEqual([
      "PATH=4",
      "path=2",
      "PATHX=3",
    ]);
  });

  test("what comes before the image's and the user's", () => {
    expect(firstEnvironment("box", false)).toEqual([DEFAULT_PATH, "HOSTNAME=box"]);
    expect(firstEnvironment("box", true)).toContain("TERM=xterm");
    expect(DEFAULT_PATH).toBe("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  });

  test("HOME of the user, unless it was set", () => {
    expect(withHome(["A=1"], "/root")).toEqual(["A=1", "HOME=/root"]);
    expect(withHome(["HOME=/x"], "/root")).toEqual(["HOME=/x"]);
    expect(withHome(["HOMER=/x"], "/root")).toContain("HOME=/root");
  });
});

describe("the process", () => {
  test("root has Docker's capabilities, others only as their bound", () => {
    const root = makeProcess(options, { uid: 0, gid: 0, groups: [], home: "/root" }, { limits: {} });
    expect(root.capabilities.effective).toEqual(DEFAULT_CAPABILITIES);
    expect(root.capabilities.permitted).toEqual(DEFAULT_CAPABILITIES);
    const { capabilities, user } = makeProcess(options, someone, { limits: {} });
    expect([capabilities.effective, capabilities.permitted, capabilities.bounding]).toEqual([
      [],
      [],
      DEFAULT_CAPABILITIES,
    ]);
    expect(user).toEqual({ uid: 1000, gid: 1001, umask: 0o022, additionalGids: [10] });
    // CVE-2022-24769: inheritable capabilities are none of Docker's
    for (const one of [root.capabilities, capabilities])
      expect([...one.inheritable, ...one.ambient]).toEqual([]);
  });
});

describe("the spec", () => {
  test("follows from the record alone", () => {
    const spec = made();
    expect(spec.root.path).toBe("/var/lib/mydocker/overlay2/1234567890/merged");
    expect([spec.hostname, spec.linux.cgroupsPath]).toEqual(["host", "/mydocker/1234567890"]);
    expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
  });

  test("namespaces: all of them, the network only where it is not the host's", () => {
    const types = (spec: Spec): string[] => spec.linux.namespaces.map(({ type }) => type).sort();
    expect(types(made())).toEqual(["cgroup", "ipc", "mount", "network", "pid", "uts"]);
    expect(types(made({ network: "host" }))).toEqual(["cgroup", "ipc", "mount", "pid", "uts"]);
  });

  test("system mounts are tight, and /dev comes before what lies in it", () => {
    const spec = made();
    for (const { destination, options: given = [] } of spec.mounts.filter(({ type }) => type !== "bind")) {
      expect([destination, given]).toEqual([destination, expect.arrayContaining(["nosuid"])]);
      if (["/sys", "/sys/fs/cgroup"].includes(destination)) expect(given).toContain("ro");
      if (!destination.startsWith("/dev") || destination === "/dev/shm") expect(given).toContain("noexec");
    }
    const order = destinations(spec);
    for (const inner of ["/dev/pts", "/dev/shm", "/dev/mqueue"])
      expect(order.indexOf(inner)).toBeGreaterThan(order.indexOf("/dev"));
    expect(order.indexOf("/sys/fs/cgroup")).toBeGreaterThan(order.indexOf("/sys"));
  });

  test("all that Docker masks is masked", () => {
    const { maskedPaths, readonlyPaths } = made().linux;
    const docker = ["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi"];
    const more = ["/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"];
    for (const path of [...docker.map((name) => `/proc/${name}`), ...more])
      expect(maskedPaths).toContain(path);
    for (const name of ["bus", "fs", "irq", "sys", "sysrq-trigger"])
      expect(readonlyPaths).toContain(`/proc/${name}`);
  });

  test("volumes come behind the system's mounts, parents before children, with their options", () => {
    const spec = made({
      volumes: [volume("/a/b", { readOnly: true }), volume("/a"), volume("/z", { propagation: "rshared" })],
    });
    expect(spec.mounts.slice(-6, -3)).toEqual([
      { destination: "/a", type: "bind", source: "/host/a", options: ["rbind", "rprivate", "rw"] },
      { destination: "/z", type: "bind", source: "/host/z", options: ["rbind", "rshared", "rw"] },
      { destination: "/a/b", type: "bind", source: "/host/a/b", options: ["rbind", "rprivate", "rro"] },
    ]);
  });

  test("a volume is bound whatever its source; a part of one, and what is mounted below, as asked for", () => {
    const mounts = made({
      volumes: [
        volume("/v", { name: "v", subpath: "a/b" }),
        volume("/n", { below: "none", readOnly: true }),
        volume("/w", { below: "writable", readOnly: true }),
      ],
    }).mounts.slice(-6, -3);
    expect(mounts.map(({ options: given, subpath }) => [given, subpath])).toEqual([
      [["rbind", "rprivate", "rw"], "a/b"],
      [["bind", "rprivate", "ro"], undefined],
      [["rbind", "rprivate", "ro"], undefined],
    ]);
  });

  test("a file system in memory takes its place among the volumes, and that of the system's", () => {
    const tmpfs = [
      { destination: "/a/t", options: ["size=1"] },
      { destination: "/dev/shm", options: [] },
    ];
    const spec = made({ volumes: [volume("/a/t/v"), volume("/a")], tmpfs });
    expect(destinations(spec).slice(-7, -3)).toEqual(["/a", "/a/t", "/dev/shm", "/a/t/v"]);
    expect(destinations(spec).filter((one) => one === "/dev/shm")).toHaveLength(1);
    expect(spec.mounts.find(({ destination }) => destination === "/a/t")).toEqual({
      destination: "/a/t",
      type: "tmpfs",
      source: "tmpfs",
      options: ["size=1"],
    });
  });

  test("a read-only root: the engine's files too, /dev and /proc not (Docker, withMounts)", () => {
    const spec = made({ readOnly: true, volumes: [volume("/etc/hosts")] });
    expect(spec.root.readonly).toBe(true);
    const writable = spec.mounts.filter(({ options: given = [] }) => !given.includes("ro"));
    expect(writable.map(({ destination }) => destination).sort()).toEqual([
      "/dev",
      "/dev/mqueue",
      "/dev/pts",
      "/dev/shm",
      "/etc/hosts",
      "/proc",
    ]);
  });

  test("the engine's hosts, hostname and resolv.conf, but for one that the user binds", () => {
    const etc = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    expect(destinations(made())).toEqual(expect.arrayContaining(etc));
    const sources = made({ volumes: [volume("/etc/hosts")] }).mounts.filter(
      ({ destination }) => destination === "/etc/hosts",
    );
    expect(sources.map(({ source }) => source)).toEqual(["/host/etc/hosts"]);
  });

  test("a volume on /etc does not cover the container's own hosts (Docker binds them last)", () => {
    const order = destinations(made({ volumes: [volume("/etc")] }));
    expect(order.indexOf("/etc/hosts")).toBeGreaterThan(order.indexOf("/etc"));
  });

  test("a volume takes the place of the engine's own mount there (Docker, withMounts)", () => {
    const order = destinations(made({ volumes: [volume("/dev/shm"), volume("/dev")] }));
    expect(order.filter((path) => path === "/dev/shm").length).toBe(1);
    expect(order.filter((path) => path === "/dev").length).toBe(1);
  });
});
