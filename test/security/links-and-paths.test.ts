/** Links, `..`, and names that change while they are looked at: no path of a container's leads out of it. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import {
  BINARY,
  background,
  ENV,
  mydocker,
  newName,
  ok,
  type Result,
  ROOT,
  RUN,
  SLOW,
  scratch,
  start,
  statusField,
  suite,
  until,
} from "../e2e/harness.ts";
import { folder, imageWith, layerWith, link, treasure } from "./images.ts";
import { memoryOf, some, withProbes } from "./probes.ts";

suite();

const run = (...args: readonly string[]): Promise<Result> =>
  mydocker(["run", "--rm", "--network", "none", ...args]);

describe("/proc and /sys of an image", () => {
  /** What a container of an image could do to the host: settings that it can write. */
  const settings =
    "for p in /proc /a /b /sys /dev/q /p0; do f=$p/sys/kernel/core_pattern; [ -e $f ] && (: >> $f) 2>/dev/null && echo $f; done; true";

  for (const [cve, what, members] of [
    [
      "CVE-2019-19921",
      "/proc is a link to a folder that is hidden by a mount when paths are masked",
      [folder("p0/"), folder("dev/"), link("proc", "/dev/q"), link("dev/q", "/p0")],
    ],
    ["CVE-2023-27561", "/proc is a link to a folder of the image's", [folder("a/"), link("proc", "/a")]],
    [
      "CVE-2023-28642",
      "/sys is a link to /proc, and /proc to another",
      [folder("b/"), link("proc", "b"), link("sys", "proc")],
    ],
  ] as const) {
    test(`${cve}: ${what}`, async () => {
      const image = await imageWith({}, layerWith(...members));
      const result = await run(image, "sh", "-c", settings);
      expect(result).toMatchObject({
        code: 125,
        stdout: "",
        stderr: expect.stringContaining("it is a link"),
      });
      await ok("rmi", image);
      // with nothing masked or read-only the same line does find something
      expect(await ok("run", "--rm", "--privileged", "busybox", "sh", "-c", settings)).toContain(
        "core_pattern",
      );
    });
  }

  test("CVE-2025-52881: /proc that is exchanged while a container is started on a folder of others", async () => {
    const shared = scratch();
    for (const name of ["bin", "proc", "dev", "sys", "etc", "p0"]) mkdirSync(`${shared}/${name}`);
    copyFileSync("/bin/busybox", `${shared}/bin/busybox`);
    symlinkSync("/p0", `${shared}/proc.link`);
    const attacker = await background(
      ...withProbes("swap"),
      "-v",
      `${shared}:/r`,
      "busybox",
      "/probes/swap",
      "/r/proc",
      "/r/proc.link",
    );
    await until(async () => (await ok("logs", attacker.name)).includes("ready"), "the attacker");
    const line =
      "for p in /proc /p0; do f=$p/sys/kernel/core_pattern; [ -e $f ] && (: >> $f) 2>/dev/null && echo OPEN; done; true";
    let started = 0;
    const end = Date.now() + 2000;
    while (Date.now() < end || (started === 0 && Date.now() < end + 20_000)) {
      const { code, stdout } = await run("--rootfs", shared, "/bin/busybox", "sh", "-c", line);
      expect(stdout).toBe("");
      if (code === 0) started++;
    }
    // now and then it has won the race and is no worse for it
    expect(started).toBeGreaterThan(0);
  }, 60_000);

  test("CVE-2019-16884: a volume of the image's that leads over /proc by a link changes nothing of its confinement", async () => {
    const image = await imageWith({ Volumes: { "/data": {} } }, layerWith(link("data", "/proc")));
    const { pid } = await background(image, "sleep", "1000").catch(() => ({ pid: 0 }));
    // by its name it is refused at once
    const named = await imageWith({ Volumes: { "/proc/sys": {} } });
    expect(await run(named, "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("where none can be"),
    });
    if (pid > 0) {
      expect(statusField(pid, "Seccomp")).toBe("2");
      expect(statusField(pid, "CapEff")).toBe("00000000a80425fb");
    }
    for (const name of (await ok("ps", "-aq")).split("\n").filter(Boolean)) await ok("rm", "-f", "-v", name);
    for (const one of [image, named]) await ok("rmi", one);
  });

  test("CVE-2025-31133: what hides a path is the null device and nothing that somebody has put in its place", async () => {
    // a /dev of others: a link, and a plain file, in place of the null device and of the console
    for (const name of ["null", "console"]) {
      const dev = scratch();
      symlinkSync("/proc/sys/kernel/core_pattern", `${dev}/${name}`);
      const result = await run(
        "-v",
        `${dev}:/dev`,
        "busybox",
        "sh",
        "-c",
        "cat /proc/interrupts; : >> /proc/sys/kernel/core_pattern",
      );
      expect(result.stdout).toBe("");
      expect(result.code).not.toBe(0);
    }
  });

  test("CVE-2025-52565: /dev/console and /dev/pts of others lead the terminal nowhere", async () => {
    const { path, untouched } = treasure();
    const dev = scratch();
    symlinkSync(path, `${dev}/pts`);
    symlinkSync(`../..${path}/secret`, `${dev}/console`);
    const line =
      "cat /dev/console /dev/pts/secret < /dev/null; : >> /proc/sys/kernel/core_pattern; echo x > /dev/console";
    const child = Bun.spawn(
      [
        BINARY,
        "run",
        "--rm",
        "-t",
        "--network",
        "none",
        "-v",
        `${dev}:/dev`,
        "busybox",
        "timeout",
        "1",
        "sh",
        "-c",
        line,
      ],
      {
        env: ENV,
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    expect(await new Response(child.stdout).text()).not.toContain("the host's");
    await child.exited;
    untouched();
  });
});

describe("where things are mounted", () => {
  test("CVE-2024-1753, CVE-2014-6407: a mount on a link that leads out of the root", async () => {
    const { path, untouched } = treasure();
    const image = await imageWith(
      {},
      layerWith(link("abs", path), link("up", `../../../../../../..${path}`), link("file", `${path}/secret`)),
    );
    const mine = scratch();
    writeFileSync(`${mine}/mine`, "mine\n");
    for (const place of some(["/abs", "/up", "/abs/empty", "/abs/new/deep", `/bin/../abs/empty`])) {
      const result = await run("-v", `${mine}:${place}`, image, "cat", `${place}/mine`);
      // made inside of the root, where the container sees it
      expect({ place, ...result }).toMatchObject({ code: 0, stdout: "mine\n" });
      untouched();
    }
    expect(await run("-v", `${mine}/mine:/file`, image, "cat", "/file")).toMatchObject({
      code: 0,
      stdout: "mine\n",
    });
    untouched();
    await ok("rmi", image);
  });

  test("CVE-2024-45310, CVE-2024-23652: nothing is made, and nothing removed, on the host where there is a link", async () => {
    const { path, untouched } = treasure();
    const image = await imageWith(
      { WorkingDir: "/wd/made" },
      layerWith(
        link("wd", path),
        link("etc/hosts", `${path}/hosts`),
        link("etc/resolv.conf", `${path}/empty`),
      ),
    );
    const name = newName();
    expect((await mydocker(["run", "--name", name, image, "touch", "in-it"])).code).toBe(0);
    await ok("commit", name, `${name}-i`);
    await ok("rm", name);
    await ok("rmi", `${name}-i`, image);
    untouched();
  });

  test("CVE-2021-30465, CVE-2024-23651: the place of a mount is exchanged for a link in a volume", async () => {
    const { path, untouched } = treasure();
    const shared = scratch();
    mkdirSync(`${shared}/place/inner-of-test`, { recursive: true });
    symlinkSync("/", `${shared}/link`);
    const attacker = await background(
      ...withProbes("swap"),
      "-v",
      `${shared}:/v`,
      "busybox",
      "/probes/swap",
      "/v/place",
      "/v/link",
    );
    await until(async () => (await ok("logs", attacker.name)).includes("ready"), "the attacker");
    const inode = statSync("/").ino;
    for (const end = Date.now() + 2000; Date.now() < end; ) {
      // what is mounted at /v/place must not come to lie on the host's root, nor the host's root below it
      const mounts = [
        "-v",
        `${shared}:/v`,
        "-v",
        `${path}:/v/place/inner-of-test`,
        "-v",
        `${path}/secret:/v/place${path}/new`,
      ];
      const look = `stat -c %i /v/place /v/place/.. /v/place/inner-of-test /v/place/inner-of-test/..; ls -d /v/place${ROOT} 2>/dev/null`;
      const { stdout } = await run(...mounts, "busybox", "sh", "-c", look);
      expect(stdout).not.toContain(ROOT);
      expect(stdout.split("\n")).not.toContain(String(inode));
      expect(existsSync("/inner-of-test")).toBe(false);
    }
    untouched();
  }, 60_000);

  test("CVE-2022-23648: a volume of the image's whose path leads out of it", async () => {
    const { path, untouched } = treasure();
    for (const place of [`/../../../../../../..${path}`, `/a/../../../..${path}`, `/to`]) {
      const image = await imageWith({ Volumes: { [place]: {} } }, layerWith(link("to", path)));
      const { stdout } = await run(
        image,
        "sh",
        "-c",
        `cat ${place}/secret ${path}/secret; find / -name secret -xdev 2>/dev/null`,
      );
      expect({ place, stdout }).toEqual({ place, stdout: "" });
      untouched();
      await ok("rmi", image);
    }
  });

  test("CVE-2014-9358, CVE-2022-23471: names that are paths: of containers, networks, images, cgroups", async () => {
    const { path, untouched } = treasure();
    const name = `../../../../../../..${path}/empty/x`;
    for (const args of some([
      ["run", "--rm", "--name", name, "busybox", "true"],
      ["network", "create", name],
      ["network", "create", "-o", `com.docker.network.bridge.name=${name}`, newName()],
      ["run", "--rm", name, "true"],
      ["rm", "-f", name],
      ["rmi", name],
      ["network", "rm", name],
      ["inspect", name],
      ["run", "--rm", "--cgroup-parent", name, "busybox", "true"],
    ])) {
      const { code } = await mydocker(args);
      // as with Docker, what is not there is removed
      if (args[1] !== "-f") expect({ args, code }).not.toEqual({ args, code: 0 });
      untouched();
    }
  });
});

describe("what reads and writes a container's files from outside", () => {
  test("CVE-2018-15664, CVE-2023-0778: a commit of what is exchanged for a link meanwhile", async () => {
    const { path, untouched } = treasure();
    // the link leads to the same place from within and from without
    const { name } = await background(
      ...withProbes("swap"),
      "busybox",
      "sh",
      "-c",
      `mkdir /dir; echo own > /dir/secret; ln -s ${path} /link; exec /probes/swap /dir /link`,
    );
    await until(async () => (await ok("logs", name)).includes("ready"), "the attacker");
    let done = 0;
    for (let round = 0; round < (SLOW ? 1 : 4); round++) {
      const image = newName();
      const { code } = await mydocker(["commit", "--pause=false", name, image]);
      if (code !== 0) continue;
      done++;
      const { stdout } = await run(image, "sh", "-c", "cat /dir/secret /link/secret 2>/dev/null");
      expect(stdout).not.toContain("the host's");
      await ok("rmi", image);
      const exported = start(["export", name]);
      expect(await new Response(exported.stdout).text()).not.toContain("the host's");
      await exported.exited;
    }
    expect(done).toBeGreaterThan(0);
    untouched();
  }, 60_000);

  test("CVE-2019-10152, CVE-2019-18466: a container's whole tree is moved to where only the host's is", async () => {
    const { path, untouched } = treasure();
    const { name } = await background("busybox", "sleep", "1000");
    // with / as a link, and the user files as links to the host's
    await ok(
      "exec",
      name,
      "sh",
      "-c",
      `rm -rf /etc/passwd /etc/group /tmp; ln -s ${path}/secret /etc/passwd; ln -s /proc/self/environ /etc/group; ln -s ${path} /tmp`,
    );
    expect((await mydocker(["exec", "-w", "/tmp", name, "cat", "secret"])).stdout).toBe("");
    expect((await mydocker(["exec", "-u", "the host's", name, "id"])).code).not.toBe(0);
    await ok("commit", name, `${name}-i`);
    expect((await run(`${name}-i`, "cat", "/tmp/secret", "/etc/passwd")).stdout).toBe("");
    await ok("rm", "-f", name);
    await ok("rmi", `${name}-i`);
    untouched();
  });

  test("CVE-2024-9676, CVE-2024-9341: /etc/passwd that never ends, or blocks who opens it", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    for (const made of some([
      "mkfifo P",
      "ln -s /dev/zero P",
      "ln -s /proc/kmsg P",
      "dd if=/dev/zero of=P bs=1048576 seek=1000000 count=0",
      "ln -s P P",
      "ln -s /dev/tty P",
    ])) {
      await ok("exec", name, "sh", "-c", `rm -rf /etc/passwd; ${made.replaceAll("P", "/etc/passwd")}`);
      const child = start(["exec", "-u", "nobody", name, "id"], { timeout: 20_000 });
      const memory = await memoryOf(child);
      // not killed, and with no more memory than any other exec
      expect({ made, code: child.exitCode, signal: child.signalCode }).toEqual({
        made,
        code: 126,
        signal: null,
      });
      expect(memory).toBeLessThan(300 << 20);
    }
  });
});

describe("the folders of the engine", () => {
  test("CVE-2021-41091, CVE-2021-41103, CVE-2024-25621, CVE-2014-3499: a user of the host's reaches nothing in them", async () => {
    const name = newName();
    await ok(
      "run",
      "--name",
      name,
      "busybox",
      "sh",
      "-c",
      "cp /bin/busybox /suid; chmod 4755 /suid; echo x > /file",
    );
    await background("busybox", "sleep", "1000");
    const suid = `${ROOT}/overlay2/${readdirSync(`${ROOT}/overlay2`).find((id) => existsSync(`${ROOT}/overlay2/${id}/upper/suid`))}/upper/suid`;
    expect(statSync(suid).mode & 0o7777).toBe(0o4755);
    const asNobody = (...command: string[]) =>
      Bun.spawnSync(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", ...command]);
    for (const command of [
      [suid, "id", "-u"],
      ["ls", ROOT],
      ["ls", RUN],
      ["ls", `${ROOT}/overlay2`],
      ["ls", `${ROOT}/containers`],
      ["cat", `${ROOT}/events.jsonl`],
    ])
      expect({ command, code: asNobody(...command).exitCode }).not.toEqual({ command, code: 0 });
    // the same file elsewhere would make him root
    const open = scratch();
    copyFileSync("/bin/cat", `${open}/cat`);
    chmodSync(`${open}/cat`, 0o4755);
    writeFileSync(`${open}/secret`, "root's", { mode: 0o600 });
    expect(asNobody(`${open}/cat`, `${open}/secret`).stdout.toString()).toBe("root's");
  });
});
