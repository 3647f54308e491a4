import { afterAll, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import {
  background,
  describeWhere,
  fails,
  mydocker,
  ok,
  ROOT,
  scratch,
  statusField,
  suite,
  until,
} from "./harness.ts";

suite();

/** Whether the file system of our folders can show its files as another user's. */
async function hasMappedMounts(): Promise<boolean> {
  const { code, stderr } = await mydocker([
    "run",
    "--rm",
    "--network",
    "none",
    "--userns",
    "auto",
    "busybox",
    "true",
  ]);
  if (code !== 0 && !stderr.includes("id-mapped mounts")) throw new Error(stderr);
  return code === 0;
}

const claims = (): string[] => (existsSync(`${ROOT}/ids`) ? readdirSync(`${ROOT}/ids`) : []);

describeWhere(await hasMappedMounts(), "no id-mapped mounts on this file system", "users of its own", () => {
  afterAll(() => until(() => claims().length === 0, "all ids to be given back"));
  const auto = ["--userns", "auto"];
  const run = (...args: string[]): Promise<string> =>
    ok("run", "--rm", "--network", "none", ...auto, ...args);

  test("its root is nobody on the host, and finds everything to be its own", async () => {
    const { pid } = await background(...auto, "busybox", "sleep", "1000");
    const [, base = "0", size] = readFileSync(`/proc/${pid}/uid_map`, "utf8").trim().split(/\s+/);
    expect(Number(base)).toBeGreaterThanOrEqual(2 ** 30);
    expect(size).toBe("65536");
    for (const field of ["Uid", "Gid"])
      expect(statusField(pid, field).split(/\s+/)).toEqual([base, base, base, base]);
    const owners = await run(
      "busybox",
      "sh",
      "-c",
      "stat -c %u:%g / /etc/passwd /dev /dev/null /dev/fd /dev/shm /dev/mqueue /etc/hosts /etc/resolv.conf | sort -u",
    );
    expect(owners).toBe("0:0");
    expect(await run("busybox", "grep", "-E", "^(CapEff|Seccomp):", "/proc/self/status")).toBe(
      "CapEff:\t00000000a80425fb\nSeccomp:\t2",
    );
  });

  test("two have different ids; those of one that is removed are given back", async () => {
    const [first, second] = [
      await background(...auto, "busybox", "sleep", "99"),
      await background(...auto, "busybox", "sleep", "99"),
    ];
    const base = (pid: number): string => statusField(pid, "Uid");
    expect(base(first.pid)).not.toBe(base(second.pid));
    expect(claims().length).toBe(2);
    await ok("rm", "-f", first.name, second.name);
    await until(() => claims().length === 0, "their ids");
  });

  test("what it writes is its own, on the host and in it, also after a restart", async () => {
    const { name, id } = await background(
      ...auto,
      "busybox",
      "sh",
      "-c",
      "mkdir -p /d; echo x >/d/f; chown 33:44 /d/f; sleep 99",
    );
    const look = (): Promise<string> => ok("exec", name, "stat", "-c", "%u:%g", "/d", "/d/f", "/bin/busybox");
    await until(async () => (await mydocker(["exec", name, "test", "-s", "/d/f"])).code === 0, "the file");
    expect(await look()).toBe("0:0\n33:44\n0:0");
    expect(statSync(`${ROOT}/overlay2/${id}/upper/d/f`).uid).toBeGreaterThan(2 ** 30);
    await ok("restart", "-t", "0", name);
    expect(await look()).toBe("0:0\n33:44\n0:0");
    // into an image and out of it: as it saw them itself
    await ok("commit", name, "users-own");
    expect(await ok("run", "--rm", "--network", "none", "users-own", "stat", "-c", "%u:%g", "/d/f")).toBe(
      "33:44",
    );
    expect(await run("users-own", "stat", "-c", "%u:%g", "/d/f")).toBe("33:44");
    const tar = `${scratch()}/files.tar`;
    await ok("export", "-o", tar, name);
    const listed = Bun.spawnSync([
      "tar",
      "-tvf",
      tar,
      "--numeric-owner",
      "d/f",
      "etc/passwd",
    ]).stdout.toString();
    expect(listed).toMatch(/ 33\/44 .* d\/f/);
    expect(listed).toMatch(/ 0\/0 .* etc\/passwd/);
    await ok("rm", "-f", name);
    await ok("rmi", "users-own");
  });

  test("volumes look the same from both sides", async () => {
    const folder = `${scratch()}/volume`;
    mkdirSync(folder);
    writeFileSync(`${folder}/old`, "");
    chownSync(`${folder}/old`, 5, 6);
    const script = "stat -c %u:%g /v/old; touch /v/new; chown 7:8 /v/new; stat -c %u:%g /v /v/new";
    expect(await run("-v", `${folder}:/v`, "busybox", "sh", "-c", script)).toBe("5:6\n0:0\n7:8");
    const { uid, gid } = statSync(`${folder}/new`);
    expect([uid, gid]).toEqual([7, 8]);
    await fails(125, /has no id-mapped mounts/, "run", ...auto, "-v", "/proc:/v", "busybox", "true");
  });

  test("it cannot do to the host's files what the host's root can", async () => {
    // a folder that lets everybody in, and a file that only root may write
    const folder = scratch();
    writeFileSync(`${folder}/secret`, "secret", { mode: 0o600 });
    const { pid } = await background(...auto, "busybox", "sleep", "99");
    const uid = Number(statusField(pid, "Uid").split(/\s+/)[0]);
    const child = Bun.spawnSync([
      "setpriv",
      "--reuid",
      String(uid),
      "--clear-groups",
      "cat",
      `${folder}/secret`,
    ]);
    expect(child.exitCode).not.toBe(0);
  });

  test("a terminal, in run and in exec", async () => {
    const { name } = await background("-t", ...auto, "busybox", "sleep", "99");
    const script = "tty; stat -c %u:%g $(tty); echo to >$(tty)";
    expect((await ok("exec", "-t", name, "sh", "-c", script)).trim().split("\r\n")).toEqual([
      "/dev/pts/1",
      "0:5",
      "to",
    ]);
  });

  test("with a network, an init, sysctls, another user, groups and a size", async () => {
    const flags = ["--init", "--sysctl", "net.core.somaxconn=7", "-u", "5:6", "--group-add", "9"];
    const script =
      "id -u; id -G; cat /proc/sys/net/core/somaxconn; cat /proc/self/uid_map; ip -o addr show eth0 | wc -l";
    const [user, groups, sysctl, map, addresses] = (
      await ok("run", "--rm", "--userns", "auto:size=100", ...flags, "busybox", "sh", "-c", script)
    ).split("\n");
    expect([user, groups, sysctl]).toEqual(["5", "6 9", "7"]);
    expect(map).toMatch(/ 100$/);
    expect(Number(addresses)).toBeGreaterThan(0);
  });

  test("who may ping is told by its own groups", async () => {
    const read = ["busybox", "cat", "/proc/sys/net/ipv4/ping_group_range"];
    expect(await run(...read)).toBe("0\t65535");
    expect(await run("--sysctl", "net.ipv4.ping_group_range=5 6", ...read)).toBe("5\t6");
    expect(await run("--sysctl", "net/ipv4/ping_group_range=7 8", ...read)).toBe("7\t8");
  });

  test("by default, where the environment says so", async () => {
    const remapped = { env: { MYDOCKER_USERNS: "auto" } };
    const map = ["busybox", "cat", "/proc/self/uid_map"];
    const first = async (...flags: string[]): Promise<string | undefined> =>
      (await mydocker(["run", "--rm", ...flags, ...map], remapped)).stdout.trim().split(/\s+/)[1];
    expect(Number(await first())).toBeGreaterThanOrEqual(2 ** 30);
    expect(await first("--userns", "host", "--network", "host")).toBe("0");
    const refused = await mydocker(["run", "--rm", "--network", "host", ...map], remapped);
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("use --userns host") });
  });

  test("a folder of the host as its root", async () => {
    expect(await run("--rootfs", "/", "stat", "-c", "%u:%g", "/etc/passwd")).toBe("0:0");
  });

  test.each([
    [["--network", "host"], /cannot share another network namespace/],
    [["--pid", "host"], /cannot share another PID namespace/],
    [["--ipc", "host"], /cannot share another IPC namespace/],
    [["--uts", "host"], /cannot share another UTS namespace/],
    [["--privileged"], /incompatible with user namespaces/],
  ])("%j does not go with it", async (flags, words) => {
    await fails(125, words, "run", ...auto, ...flags, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });
});

test.each([
  ["keep-id", /invalid USER mode/],
  ["auto:", /invalid USER mode/],
  ["auto:size=0", /invalid size 0/],
  ["auto:size=99999999", /invalid size/],
])("--userns %s is refused", async (mode, words) => {
  await fails(125, words, "run", "--userns", mode, "busybox", "true");
});
