/** Hosts whose cgroups are laid out otherwise, made in a mount namespace of the test's own; and --cgroup-parent. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import {
  BINARY,
  background,
  CGROUP2,
  cgroupFolder,
  ENV,
  fails,
  leftovers,
  newName,
  ok,
  quietly,
  suite,
  testWhere,
  until,
} from "./harness.ts";

suite();

const TOP = "/sys/fs/cgroup";
const UNIFIED = CGROUP2 ? TOP : `${TOP}/unified`;

/** The trees that are mounted, the v2 one among them. */
function trees(): string[] {
  return CGROUP2 ? [TOP] : readdirSync(TOP).map((name) => `${TOP}/${name}`);
}

/** Removes a group that a test made, with what is below it, from every tree. */
function removeEverywhere(group: string): void {
  const remove = (folder: string): void => {
    for (const entry of quietly(() => readdirSync(folder, { withFileTypes: true }), []))
      if (entry.isDirectory()) remove(`${folder}/${entry.name}`);
    quietly(() => rmdirSync(folder), undefined);
  };
  for (const tree of trees()) remove(`${tree}/${group}`);
}

const GROUP = `mydocker-test-${process.pid}`;
afterEach(() => removeEverywhere(GROUP));

/** Runs a script in new namespaces (unshare's flags); `$M` is mydocker. */
async function inNamespaces(flags: readonly string[], script: string): Promise<string> {
  const child = Bun.spawn(["unshare", ...flags, "sh", "-ec", script], {
    env: { ...process.env, ...ENV, M: BINARY, G: `${UNIFIED}/${GROUP}`, TOP: UNIFIED },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect({ code: await child.exited, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd();
}

describe("--cgroup-parent", () => {
  test("is made where it is missing, holds the container's group, and stays", async () => {
    const { name, id, pid } = await background(
      "--cgroup-parent",
      `${GROUP}/inner`,
      "-m",
      "64m",
      "busybox",
      "top",
    );
    const line = CGROUP2 ? /^0::(.*)$/m : /^\d+:memory:(.*)$/m;
    expect(line.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1]).toBe(`/${GROUP}/inner/${id}`);
    const folder = cgroupFolder(id, "memory").replace("/mydocker/", `/${GROUP}/inner/`);
    expect(readFileSync(`${folder}/memory.${CGROUP2 ? "max" : "limit_in_bytes"}`, "utf8")).toBe(
      `${64 << 20}\n`,
    );
    expect(await ok("exec", name, "echo", "in")).toBe("in");
    expect(readFileSync(`${folder}/cgroup.procs`, "utf8")).toBe(`${pid}\n`);
    expect(await ok("inspect", "-f", "{{.HostConfig.CgroupParent}}", name)).toBe(`/${GROUP}/inner`);
    await ok("restart", "-t", "0", name);
    expect(existsSync(folder)).toBe(true);
    await ok("pause", name);
    await ok("rm", "-f", name);
    await until(() => !existsSync(folder), "the group to go");
    expect(existsSync(`${UNIFIED}/${GROUP}/inner`)).toBe(true);
  });

  test("the limits of the parent hold", async () => {
    mkdirSync(CGROUP2 ? `${TOP}/${GROUP}` : `${TOP}/pids/${GROUP}`);
    await Bun.write(CGROUP2 ? `${TOP}/${GROUP}/pids.max` : `${TOP}/pids/${GROUP}/pids.max`, "3");
    const script = "for i in 1 2 3 4 5; do sleep 1 & done; wait";
    const { stderr } = Bun.spawnSync(
      [BINARY, "run", "--rm", "--cgroup-parent", GROUP, "busybox", "sh", "-c", script],
      { env: ENV },
    );
    expect(stderr.toString()).toContain("can't fork");
  });

  test("one that can be none fails cleanly, and harms nobody else", async () => {
    const other = await background("busybox", "top");
    const long = "dddddddddd/".repeat(500);
    for (const parent of [
      `${GROUP}/cgroup.procs`,
      "cgroup.procs",
      `${GROUP}/notify_on_release/x`,
      `${GROUP}/${long}`,
    ]) {
      if (parent.includes("notify") && CGROUP2) continue;
      const name = newName();
      await fails(
        125,
        /cannot make the cgroup/,
        "run",
        "-d",
        "--name",
        name,
        "--cgroup-parent",
        parent,
        "busybox",
        "top",
      );
      expect(await ok("ps", "-aq")).toBe(other.id);
      await fails(1, /No such container/, "start", name);
    }
    for (const tree of trees()) expect(existsSync(`${tree}/${GROUP}`)).toBe(false);
  });

  test("a start that fails takes away what it has made", async () => {
    await fails(127, /not found/, "run", "--cgroup-parent", `${GROUP}/a`, "busybox", "no-such-program");
    for (const tree of trees()) expect(existsSync(`${tree}/${GROUP}`)).toBe(false);
    await fails(125, /control characters/, "run", "--cgroup-parent", "a\nb", "busybox", "true");
    await fails(125, /must not lead upwards/, "run", "--cgroup-parent", "/a/../b", "busybox", "true");
  });

  testWhere(
    CGROUP2,
    "on v1 a group may have processes and groups",
    "one with processes of its own",
    async () => {
      mkdirSync(`${TOP}/${GROUP}`);
      const sleeper = Bun.spawn(["sleep", "1000"]);
      await Bun.write(`${TOP}/${GROUP}/cgroup.procs`, String(sleeper.pid));
      await fails(
        125,
        /cannot use the cgroup \/\S+ as parent: it has processes of its own/,
        ...["run", "--cgroup-parent", GROUP, "busybox", "true"],
      );
      sleeper.kill();
      await sleeper.exited;
      expect(await ok("ps", "-aq")).toBe("");
    },
  );
});

describe("ours above the containers' groups", () => {
  test("is there as long as any container is", async () => {
    const own = `${UNIFIED}/mydocker`;
    const others = quietly(() => readdirSync(own, { withFileTypes: true }), []).some((one) =>
      one.isDirectory(),
    );
    const { name } = await background("busybox", "top");
    expect(existsSync(own)).toBe(true);
    if (CGROUP2) expect(readFileSync(`${own}/cgroup.subtree_control`, "utf8")).toContain("memory");
    await ok("rm", "-f", name);
    if (!others) await until(() => !existsSync(own), "it to go");
  });
});

const LIFE = `
$M run -d --name $N -m 64m busybox sh -c 'trap "" TERM; while :; do sleep 0.1; done'
$M exec $N echo in
$M pause $N; $M unpause $N; $M pause $N
$M stop -t 1 $N; $M start $N; $M pause $N
$M top $N > /dev/null
$M rm -f $N`;

describe("other layouts", () => {
  testWhere(
    !CGROUP2,
    "this host has nothing but the v2 tree",
    "v1 alone: the freezer of v1 stops, and does not keep from dying",
    async () => {
      const out = await inNamespaces(["-m"], `umount $TOP; N=${newName()}; ${LIFE}`);
      expect(out.split("\n").slice(1)).toEqual(["in", ...Array(7).fill(expect.any(String))]);
      expect(leftovers()).toEqual([]);
    },
  );

  testWhere(
    !CGROUP2,
    "this host has nothing but the v2 tree",
    "a v2 tree that something else is mounted over is none",
    async () => {
      const out = await inNamespaces(
        ["-m"],
        `mount -t tmpfs tmpfs $TOP; N=${newName()}; ${LIFE}; ls -A $TOP`,
      );
      expect(out.split("\n")).toHaveLength(9);
    },
  );

  testWhere(
    !CGROUP2,
    "this host has nothing but the v2 tree",
    "controllers that are mounted nowhere are missed by who asks for them",
    async () => {
      const out = await inNamespaces(
        ["-m"],
        `umount ${TOP}/memory ${TOP}/cpuacct
        $M run --rm busybox echo fine
        $M run --rm -m 64m busybox true 2>&1 || echo $?
        N=${newName()}; $M run -d --name $N busybox top > /dev/null
        $M rm -f $N > /dev/null`,
      );
      expect(out).toBe(
        "fine\nmydocker: cannot set memory limits: this host has no memory cgroup controller\n125",
      );
    },
  );

  testWhere(
    CGROUP2,
    "on v1 a group may have processes and groups",
    "in a container, or a delegated unit, that has processes at its top: they are moved into init",
    async () => {
      mkdirSync(`${TOP}/${GROUP}`);
      const out = await inNamespaces(
        ["-m"],
        `echo $$ > $G/cgroup.procs
        exec unshare -C -m sh -ec '
          umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
          cat /proc/self/cgroup
          $M run --rm -m 64m busybox sh -c "cat /sys/fs/cgroup/memory.max"
          $M run --rm -m 64m --pids-limit 7 busybox sh -c "cat /sys/fs/cgroup/pids.max"
          cat /proc/self/cgroup /sys/fs/cgroup/cgroup.procs
          ls /sys/fs/cgroup | grep -c mydocker || :'`,
      );
      expect(out.split("\n")).toEqual(["0::/", String(64 << 20), "7", "0::/init", "0"]);
    },
  );

  testWhere(
    CGROUP2,
    "on v1 nothing is delegated",
    "controllers that are not handed down yet are",
    async () => {
      mkdirSync(`${TOP}/${GROUP}/below`, { recursive: true });
      const flags = ["--cgroup-parent", `${GROUP}/below`, "-m", "64m", "--cpus", "0.5"];
      expect(readFileSync(`${TOP}/${GROUP}/cgroup.subtree_control`, "utf8").trim()).toBe("");
      expect(await ok("run", "--rm", ...flags, "busybox", "cat", "/sys/fs/cgroup/cpu.max")).toBe(
        "50000 100000",
      );
      expect(readFileSync(`${TOP}/${GROUP}/cgroup.subtree_control`, "utf8")).toContain("memory");
    },
  );
});
