import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import {
  background,
  CGROUP2,
  cgroupFolder,
  fails,
  groupFile,
  mydocker,
  namespaces,
  ok,
  statusField,
  suite,
  testWhere,
} from "./harness.ts";

suite();

const sh = (script: string): Promise<string> => ok("run", "--rm", "busybox", "sh", "-c", script);

describe("inside the container", () => {
  test("six namespaces of its own, pid 1, and its host name", async () => {
    const { pid, id } = await background("busybox", "sleep", "1000");
    const [own, host] = [namespaces(pid), namespaces("self")];
    for (const kind of Object.keys(host)) expect(`${kind} ${own[kind]}`).not.toBe(`${kind} ${host[kind]}`);
    expect(statusField(pid, "NSpid").split("\t").at(-1)).toBe("1");
    expect(await ok("exec", id, "hostname")).toBe(id.slice(0, 12));
  });

  test("the host's root is gone: mounts are private, nothing of the host is mounted but the provided files", async () => {
    const { pid, id } = await background("busybox", "sleep", "1000");
    const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n");
    const root = lines.filter((line) => line.split(" ")[4] === "/");
    expect(root).toHaveLength(1);
    expect(root[0]).toContain("overlay");
    expect(lines.filter((line) => /shared:|master:/.test(line))).toEqual([]);
    const sources = lines
      .filter((line) => line.includes(`/containers/${id}/`))
      .map((line) => line.split(" ")[4]);
    expect(sources.sort()).toEqual(["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]);
  });

  test("/proc, /sys read-only, /dev with its nodes, links, pts, shm and mqueue", async () => {
    const { pid } = await background("busybox", "sleep", "1000");
    const mounts = readFileSync(`/proc/${pid}/mounts`, "utf8");
    for (const line of [
      /^proc \/proc proc rw,nosuid,nodev,noexec/m,
      /^sysfs \/sys sysfs ro,nosuid,nodev,noexec/m,
      /^tmpfs \/dev tmpfs rw,nosuid,size=65536k,mode=755/m,
      /^devpts \/dev\/pts devpts rw,nosuid,noexec.*gid=5,mode=620,ptmxmode=666/m,
      /^(tmpfs|shm) \/dev\/shm tmpfs rw,nosuid,nodev,noexec.*size=65536k/m,
      /^mqueue \/dev\/mqueue mqueue rw,nosuid,nodev,noexec/m,
      CGROUP2
        ? /^cgroup2? \/sys\/fs\/cgroup cgroup2 ro,/m
        : /^cgroup \/sys\/fs\/cgroup\/memory cgroup ro,.*memory/m,
    ])
      expect(mounts).toMatch(line);
    const dev = `/proc/${pid}/root/dev`;
    const nodes = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] };
    for (const [name, [major = 0, minor = 0]] of Object.entries(nodes)) {
      const { rdev, mode } = statSync(`${dev}/${name}`);
      expect([name, rdev, mode & 0o777]).toEqual([name, major * 256 + minor, 0o666]);
    }
    const links = "for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done";
    expect(await sh(links)).toBe(
      "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx",
    );
  });

  test("masked paths show nothing, read-only ones cannot be written", async () => {
    expect(
      await sh("cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l"),
    ).toBe("0\n0");
    const out = await sh(
      "echo 1 >/proc/sys/kernel/hostname; echo b >/proc/sysrq-trigger; mkdir /sys/x; echo rc $?",
    );
    expect(out).toBe("rc 1");
  });

  test("devices that are not a container's cannot be opened, even where mknod is allowed", async () => {
    const out = await sh(
      "mknod /tmp/disk b 254 0; mknod /tmp/mem c 1 1; cat /tmp/disk; cat /tmp/mem; mknod /tmp/z c 1 5 && head -c 2 /tmp/z | wc -c",
    );
    expect(out).toBe("2");
  });

  test("loopback is up, and without a network the only interface", async () => {
    expect(
      await ok(
        ...["run", "--rm", "--network", "none", "busybox", "sh", "-c"],
        "ls /sys/class/net; cat /sys/class/net/lo/operstate; ping -c1 -W1 127.0.0.1 | grep -c ' 0% packet loss'",
      ),
    ).toBe("lo\nunknown\n1");
  });

  test("/etc/hosts, /etc/hostname and /etc/resolv.conf are provided", async () => {
    const { id } = await background("busybox", "sleep", "1000");
    expect(await ok("exec", id, "cat", "/etc/hosts")).toContain("127.0.0.1\tlocalhost");
    expect(await ok("exec", id, "cat", "/etc/hostname")).toBe(id);
    const { stdout } = await mydocker(["exec", id, "cat", "/etc/resolv.conf"]);
    expect(stdout).toBe(readFileSync("/etc/resolv.conf", "utf8"));
  });

  test("the environment is Docker's, not the host's", async () => {
    const { id, pid } = await background("-e", "MINE=1", "busybox", "sleep", "1000");
    const environ = readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter((entry) => entry !== "");
    expect(environ).toEqual([
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      `HOSTNAME=${id}`,
      "MINE=1",
      "HOME=/root",
    ]);
  });

  test("no descriptor leaks in, not even one of our caller", async () => {
    const child = Bun.spawn(
      [
        "sh",
        "-c",
        `exec 5</etc/passwd 9</etc/group; exec ${process.env.MYDOCKER ?? "dist/mydocker"} run --rm busybox ls /proc/self/fd`,
      ],
      {
        cwd: new URL("../..", import.meta.url).pathname,
        env: { ...process.env, ...(await import("./harness.ts")).ENV },
        stdout: "pipe",
      },
    );
    // 3 is ls's own, on the folder it lists
    expect(await new Response(child.stdout).text()).toBe("0\n1\n2\n3\n");
  });

  test("capabilities are Docker's default, no_new_privs is off, the umask is 022", async () => {
    const status = await sh("cat /proc/self/status; umask");
    for (const [field, value] of Object.entries({
      CapInh: "0",
      CapPrm: "a80425fb",
      CapEff: "a80425fb",
      CapBnd: "a80425fb",
      CapAmb: "0",
    }))
      expect(status).toMatch(new RegExp(`^${field}:\\s+0*${value}$`, "m"));
    expect(status).toMatch(/^NoNewPrivs:\s+0$/m);
    expect(status).toMatch(/^SigIgn:\s+0+$/m);
    expect(status).toMatch(/^SigBlk:\s+0+$/m);
    expect(status).toMatch(/0022$/);
  });
});

describe("limits", () => {
  test("-m, -cpushare, -cpus and --pids-limit are in force before the program starts", async () => {
    const flags = ["-m", "64m", "-cpushare", "512", "-cpus", "0.5", "--pids-limit", "99"];
    const { id, pid } = await background(...flags, "busybox", "sleep", "1000");
    expect(groupFile(id, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(64 << 20));
    expect(groupFile(id, "cpu", "cpu.shares", "cpu.weight")).toBe(CGROUP2 ? "59" : "512");
    expect(groupFile(id, "cpu", "cpu.cfs_quota_us", "cpu.max")).toBe(CGROUP2 ? "50000 100000" : "50000");
    expect(groupFile(id, "pids", "pids.max", "pids.max")).toBe("99");
    expect(readFileSync(`${cgroupFolder(id, "memory")}/cgroup.procs`, "utf8").trim()).toBe(String(pid));
  });

  test("a process beyond the pids limit is not made; memory beyond the limit kills", async () => {
    const forks = await mydocker([
      "run",
      "--rm",
      "--pids-limit",
      "5",
      "busybox",
      "sh",
      "-c",
      "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait",
    ]);
    expect(forks.stderr).toContain("can't fork");
    const eaten = await mydocker([
      "run",
      "--rm",
      "-m",
      "8m",
      "busybox",
      "sh",
      "-c",
      "x=a; while :; do x=$x$x; done",
    ]);
    expect(eaten.code).toBe(137);
  });

  test("the smallest memory limit is enough for the launch", async () => {
    expect(await ok("run", "--rm", "-m", "6m", "busybox", "echo", "fits")).toBe("fits");
  });

  testWhere(!CGROUP2, "this kernel has no cpuset controller", "-cpuset", async () => {
    const { id, pid } = await background("-cpuset", "1", "busybox", "sleep", "1000");
    expect(groupFile(id, "cpuset", "cpuset.cpus", "cpuset.cpus")).toBe("1");
    expect(statusField(pid, "Cpus_allowed_list")).toBe("1");
  });

  testWhere(
    CGROUP2,
    "this host has every controller",
    "a controller that is missing is an error when its flag was given",
    async () => {
      await fails(125, /no cpuset cgroup controller/, "run", "-cpuset", "0", "busybox", "true");
      expect(await ok("ps", "-aq")).toBe("");
    },
  );
});
