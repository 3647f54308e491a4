/** Devices of the host, and the weights of real time and disks. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
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

  test("one that has gone from the host since the start keeps nobody from updating", async () => {
    const going = `${scratch()}/going`;
    makeNode(going);
    const { name, id } = await background("--device", `${going}:/dev/x`, "busybox", "sleep", "1000");
    Bun.spawnSync(["rm", going]);
    await ok("update", "--pids-limit", "44", name);
    expect(groupFile(id, "pids", "pids.max", "pids.max")).toBe("44");
    expect(await ok("exec", name, "sh", "-c", ": < /dev/x && echo fine")).toBe("fine");
  });

  test("elsewhere than in /dev, over a start and with another number; no file is written over", async () => {
    const changing = makeNode(`${scratch()}/changing`);
    const { name } = await background("--device", `${changing}:/srv/deep/x`, "busybox", "sleep", "1000");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "sh", "-c", ": < /srv/deep/x && echo fine")).toBe("fine");
    Bun.spawnSync(["rm", changing]);
    makeNode(changing, "c", 1, 5);
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "stat", "-c", "%t:%T", "/srv/deep/x")).toBe("1:5");
    await fails(125, /something else is there/, "run", "--device", `${node}:/etc/passwd`, "busybox", "true");
  });

  test("in place of a link of /dev; on a volume, or in a /dev of the host's, only what is there", async () => {
    const seen = ["busybox", "stat", "-c", "%t:%T", "/dev/stdin"];
    expect(await ok("run", "--rm", "--device", "/dev/zero:/dev/stdin", ...seen)).toBe("1:5");
    const left = `no-such-${newName()}`;
    const volume = scratch();
    for (const [flags, path] of [
      [["-v", "/dev:/dev"], `/dev/${left}`],
      [["-v", "/dev:/dev"], "/dev/null"],
      [["-v", `${volume}:/data`], `/data/${left}`],
      [[], `/proc/${left}`],
      [[], `/dev/shm/${left}`],
    ] as [string[], string][])
      await fails(
        125,
        /it would be on a volume, or in/,
        "run",
        ...flags,
        "--device",
        `/dev/zero:${path}`,
        "busybox",
        "true",
      );
    expect(existsSync(`/dev/${left}`) || existsSync(`${volume}/${left}`)).toBe(false);
    expect(statSync("/dev/null").rdev).toBe(0x103);
    const own = ["-v", "/dev:/dev", "--device", "/dev/zero"];
    expect(await ok("run", "--rm", ...own, "busybox", "stat", "-c", "%t:%T", "/dev/zero")).toBe("1:5");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("a link of the image does not lead out of it", async () => {
    const root = scratch();
    const copy = "cp -a /bin /out; mkdir /out/dev /out/proc /out/sys";
    await ok("run", "--rm", "-v", `${root}:/out`, "busybox", "sh", "-c", copy);
    symlinkSync("/../../../../run", `${root}/out`);
    const left = newName();
    const flags = ["--device", `/dev/zero:/out/${left}`, "--rootfs", root];
    expect(await ok("run", "--rm", ...flags, "stat", "-c", "%T", `/run/${left}`)).toBe("5");
    expect(existsSync(`/run/${left}`)).toBe(false);
  });

  test.each([
    [["/dev/zero:/"], /it can't be '\/'/],
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
      /invalid device cgroup format 'c 4096:1 r': numbers go up to 4095/,
      "run",
      "--device-cgroup-rule",
      "c 4096:1 r",
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
    // groups that were removed right before count for a moment
    const many = Array.from({ length: 12 }, (_, index) =>
      mydocker(["run", "--rm", "--cpu-rt-runtime", `3000${index % 10}`, "busybox", "true"]),
    );
    for (const run of await Promise.all(many)) expect(run).toMatchObject({ code: 0, stderr: "" });
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
