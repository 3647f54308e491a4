/** Devices of the host, limits of processes, and the weights of real time and disks. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import {
  background,
  CGROUP2,
  fails,
  groupFile,
  mydocker,
  newName,
  ok,
  scratch,
  suite,
  testWhere,
} from "./harness.ts";

suite();

/** A driver that root may open without any capability, and that is in both kernels: btrfs-control. */
const [MAJOR, MINOR] = [10, Number(/^ *(\d+) btrfs-control$/m.exec(readFileSync("/proc/misc", "utf8"))?.[1])];

function makeNode(path: string, kind = "c", major = MAJOR, minor = MINOR): string {
  expect(Bun.spawnSync(["mknod", path, kind, String(major), String(minor)]).exitCode).toBe(0);
  return path;
}

/** Opens a device in a container for reading and for writing; says what the kernel made of it. */
async function opened(device: string, ...flags: string[]): Promise<string> {
  const script = `for how in '<' '>'; do eval "true $how ${device}" 2>&1 && echo "$how"; done; true`;
  return (await ok("run", "--rm", ...flags, "busybox", "sh", "-c", script)).replaceAll("\n", " ");
}

const DENIED = /Operation not permitted/;

describe("--device", () => {
  const folder = scratch();
  const node = makeNode(`${folder}/node`);

  test("is there with the host's numbers, mode and owner; access is what was given", async () => {
    chmodSync(node, 0o640);
    chownSync(node, 0, 7);
    expect(
      await ok(
        "run",
        "--rm",
        "--device",
        `${node}:/dev/x`,
        "busybox",
        "stat",
        "-c",
        "%A %u %g %t:%T",
        "/dev/x",
      ),
    ).toBe(`crw-r----- 0 7 ${MAJOR.toString(16)}:${MINOR.toString(16)}`);
    expect(await opened("/dev/x", "--device", `${node}:/dev/x`)).toBe("< >");
    expect(await opened("/dev/x", "--device", `${node}:/dev/x:r`)).toMatch(/^< .*Operation not permitted$/);
    expect(await opened(node, "--device", `${node}:w`)).toMatch(/Operation not permitted >$/);
    expect(await opened(node, "--device", node)).toBe("< >");
  });

  test("without it, a node of one's own cannot be opened", async () => {
    const script = `mknod /x c ${MAJOR} ${MINOR} && : < /x`;
    const { code, stderr } = await mydocker(["run", "--rm", "busybox", "sh", "-c", script]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(DENIED);
  });

  test("a folder is all devices in it; a link is what it leads to; a default device can be another one", async () => {
    const many = scratch();
    mkdirSync(`${many}/below`);
    makeNode(`${many}/one`, "c", 1, 3);
    makeNode(`${many}/below/two`);
    await Bun.write(`${many}/file`, "");
    expect(
      await ok(
        "run",
        "--rm",
        "--device",
        `${many}:/dev/many`,
        "busybox",
        "sh",
        "-c",
        "find /dev/many -type c | sort",
      ),
    ).toBe("/dev/many/below/two\n/dev/many/one");
    symlinkSync(`${many}/below/two`, `${many}/link`);
    expect(await opened("/dev/y", "--device", `${many}/link:/dev/y`)).toBe("< >");
    expect(
      await ok("run", "--rm", "--device", "/dev/zero:/dev/null", "busybox", "head", "-c", "2", "/dev/null"),
    ).toBe("\0\0");
  });

  test("is looked up anew at each start, and shown", async () => {
    const changing = `${scratch()}/changing`;
    makeNode(changing, "c", 1, 3);
    const { name } = await background("--device", `${changing}:/dev/x:rw`, "busybox", "sleep", "1000");
    const numbers = (): Promise<string> => ok("exec", name, "stat", "-c", "%t:%T", "/dev/x");
    expect(await numbers()).toBe("1:3");
    Bun.spawnSync(["rm", changing]);
    makeNode(changing, "c", 1, 5);
    await ok("restart", "-t", "0", name);
    expect(await numbers()).toBe("1:5");
    expect(await ok("inspect", "-f", "{{json .HostConfig.Devices}}", name)).toBe(
      `[{"PathOnHost":"${changing}","PathInContainer":"/dev/x","CgroupPermissions":"rw"}]`,
    );
    Bun.spawnSync(["rm", changing]);
    await fails(1, /no such file or directory/, "restart", "-t", "0", name);
  });

  test("elsewhere than in /dev, over a start; what is there already is not written over", async () => {
    const { name } = await background("--device", `${node}:/srv/deep/x`, "busybox", "sleep", "1000");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "sh", "-c", ": < /srv/deep/x && echo fine")).toBe("fine");
    await fails(125, /something else is there/, "run", "--device", `${node}:/etc/passwd`, "busybox", "true");
  });

  test.each([
    [["/no-such-device"], /error gathering device information .*no such file or directory/],
    [["/tmp/../etc/passwd"], /error gathering device information .*not a device node/],
    [["null"], /is not an absolute path/],
    [["/dev/null:x"], /is not an absolute path/],
    [["/dev/null:/dev/x:q"], /bad mode specified: q/],
    [["/dev/null:/dev/x:rr"], /bad mode specified: rr/],
    [["a:b:c:d"], /invalid device specification/],
  ])("%j is refused", async ([device = ""], words) => {
    await fails(125, words, "run", "--device", device, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });
});

describe("--device-cgroup-rule", () => {
  const script = `mknod /x c ${MAJOR} ${MINOR} && : < /x && echo fine`;

  test("lets what is made in the container be opened", async () => {
    for (const rule of [`c ${MAJOR}:${MINOR} r`, `c ${MAJOR}:* rwm`, "c *:* r", "a *:* rwm"])
      expect(await ok("run", "--rm", "--device-cgroup-rule", rule, "busybox", "sh", "-c", script)).toBe(
        "fine",
      );
    for (const rule of [`b ${MAJOR}:${MINOR} r`, `c ${MAJOR}:${MINOR} w`, "c 77:* r"]) {
      const run = ["run", "--rm", "--device-cgroup-rule", rule, "busybox", "sh", "-c", script];
      expect((await mydocker(run)).stderr).toMatch(DENIED);
    }
    await fails(
      125,
      /invalid device cgroup format/,
      "run",
      "--device-cgroup-rule",
      "c 1:1",
      "busybox",
      "true",
    );
    await fails(
      125,
      /invalid device cgroup format/,
      "run",
      "--device-cgroup-rule",
      "d 1:1 r",
      "busybox",
      "true",
    );
  });
});

describe("--ulimit", () => {
  const shown = (name: string): string =>
    `grep -i '^max ${name}' /proc/self/limits | sed 's/  */ /g; s/ $//'`;

  test("of run, of exec, over a restart, for any user", async () => {
    const flags = ["--ulimit", "nofile=100:200", "--ulimit", "core=0", "-u", "nobody"];
    const { name } = await background(...flags, "busybox", "sleep", "1000");
    for (let run = 0; run < 2; run++) {
      expect(await ok("exec", name, "sh", "-c", shown("open files"))).toBe("Max open files 100 200 files");
      expect(await ok("exec", name, "sh", "-c", shown("core"))).toBe("Max core file size 0 0 bytes");
      const pid = await ok("inspect", "-f", "{{.State.Pid}}", name);
      expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/Max open files +100 +200/);
      await ok("restart", "-t", "0", name);
    }
    expect(await ok("inspect", "-f", "{{json .HostConfig.Ulimits}}", name)).toBe(
      '[{"Name":"nofile","Hard":200,"Soft":100},{"Name":"core","Hard":0,"Soft":0}]',
    );
  });

  test("is enforced: open files, and the size of a file", async () => {
    const open = 'i=3; while [ $i -lt 40 ]; do eval "exec $i</dev/null" || exit 9; i=$((i+1)); done';
    expect(
      (await mydocker(["run", "--rm", "--ulimit", "nofile=20", "busybox", "sh", "-c", open])).code,
    ).not.toBe(0);
    const { code } = await mydocker([
      "run",
      "--rm",
      "--ulimit",
      "fsize=1000",
      "busybox",
      "sh",
      "-c",
      "head -c 5000 /dev/zero > /x",
    ]);
    expect(code).not.toBe(0);
  });

  test("a hard limit that cannot be raised is as high as it is, and said so", async () => {
    const { code, stdout, stderr } = await mydocker([
      "run",
      "--rm",
      "--ulimit",
      "nofile=1000000000",
      "busybox",
      "sh",
      "-c",
      "ulimit -Hn",
    ]);
    expect(code).toBe(0);
    expect(Number(stdout)).toBeGreaterThan(0);
    // with the capability it is the kernel's own maximum that holds, for which there is no limit to tell of
    if (!hasSysResource())
      expect(stderr).toMatch(/warning: --ulimit nofile: the hard limit cannot be raised to 1000000000/);
  });

  test.each([
    ["nofile", /invalid ulimit argument: nofile/],
    ["nofile=a", /invalid ulimit argument/],
    ["nofle=1", /invalid ulimit type: nofle: there are .*nofile/],
    ["nofile=5:3", /soft limit must be less than or equal to hard limit: 5 > 3/],
    ["nofile=-1:3", /-1 \(unlimited\) > 3/],
    ["nofile=-2", /-1 is no limit/],
  ])("%s is refused", async (ulimit, words) => {
    await fails(125, words, "run", "--ulimit", ulimit, "busybox", "true");
  });
});

function hasSysResource(): boolean {
  const effective = /^CapEff:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
}

describe("--oom-score-adj", () => {
  test("of the program, of exec, over a restart", async () => {
    const { name, pid } = await background("--oom-score-adj", "321", "busybox", "sleep", "1000");
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("321\n");
    expect(await ok("exec", name, "cat", "/proc/self/oom_score_adj")).toBe("321");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "cat", "/proc/1/oom_score_adj")).toBe("321");
    expect(await ok("inspect", "-f", "{{.HostConfig.OomScoreAdj}}", name)).toBe("321");
    await fails(125, /the range is from -1000 to 1000/, "run", "--oom-score-adj", "1001", "busybox", "true");
  });

  testWhere(
    !hasSysResource(),
    "it may lower it",
    "lowering it without the right is refused, and nothing is left",
    async () => {
      const name = newName();
      await fails(
        125,
        /needs CAP_SYS_RESOURCE/,
        "run",
        "--name",
        name,
        "--oom-score-adj=-500",
        "busybox",
        "true",
      );
      expect(await ok("ps", "-aq")).toBe("");
    },
  );
});

describe("weights", () => {
  testWhere(!CGROUP2, "cgroup v2 has none", "--cpu-rt-runtime and --cpu-rt-period", async () => {
    if (!existsSync("/sys/fs/cgroup/cpu/cpu.rt_runtime_us")) return;
    const { name, id } = await background(
      "--cpu-rt-runtime",
      "20000",
      "--cpu-rt-period",
      "200000",
      "busybox",
      "sleep",
      "1000",
    );
    expect(groupFile(id, "cpu", "cpu.rt_runtime_us", "")).toBe("20000");
    expect(groupFile(id, "cpu", "cpu.rt_period_us", "")).toBe("200000");
    await ok("update", "--cpu-rt-runtime", "40000", name);
    expect(groupFile(id, "cpu", "cpu.rt_runtime_us", "")).toBe("40000");
    await fails(125, /the host has not so much left/, "run", "--cpu-rt-runtime", "950000", "busybox", "true");
    await fails(1, /the host has not so much left/, "update", "--cpu-rt-runtime", "200000", name);
    expect(groupFile(id, "cpu", "cpu.rt_runtime_us", "")).toBe("40000");
  });

  test("what cannot be is refused", async () => {
    await fails(
      125,
      /cannot be more than --cpu-rt-period/,
      "run",
      "--cpu-rt-runtime",
      "2000000",
      "busybox",
      "true",
    );
    await fails(125, /the range is from 10 to 1000/, "run", "--blkio-weight", "9", "busybox", "true");
    await fails(
      125,
      /must be \/dev\/DEVICE:WEIGHT/,
      "run",
      "--blkio-weight-device",
      "sda:100",
      "busybox",
      "true",
    );
    if (CGROUP2)
      await fails(
        125,
        /--cpu-rt-runtime and --cpu-rt-period: cgroup v2/,
        "run",
        "--cpu-rt-runtime",
        "1000",
        "busybox",
        "true",
      );
    expect(await ok("ps", "-aq")).toBe("");
  });

  testWhere(!CGROUP2, "this kernel has no weights", "--blkio-weight", async () => {
    const { name, id } = await background("--blkio-weight", "300", "busybox", "sleep", "1000");
    expect(groupFile(id, "blkio", "blkio.bfq.weight", "")).toBe("300");
    await ok("update", "--blkio-weight", "400", name);
    expect(groupFile(id, "blkio", "blkio.bfq.weight", "")).toBe("400");
    expect(await ok("inspect", "-f", "{{.HostConfig.BlkioWeight}}", name)).toBe("400");
  });

  testWhere(CGROUP2, "this kernel has weights", "a kernel without weights of disks says so", async () => {
    await fails(
      125,
      /cannot set io\.weight: this kernel has no such limit/,
      "run",
      "--blkio-weight",
      "300",
      "busybox",
      "true",
    );
    expect(await ok("ps", "-aq")).toBe("");
  });
});
