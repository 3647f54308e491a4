import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import {
  background,
  fails,
  leftovers,
  mydocker,
  newName,
  ok,
  ROOT,
  RUN,
  SLOW,
  scratch,
  start,
  statusField,
  suite,
  until,
} from "./harness.ts";

suite();

const layers = (): string[] => (existsSync(`${ROOT}/layers`) ? readdirSync(`${ROOT}/layers`) : []);

describe("a disk that is full", () => {
  const mounted: string[] = [];
  afterEach(() => {
    for (const folder of mounted.splice(0)) Bun.spawnSync(["umount", "-l", folder]);
  });

  /** A state root with this much room. */
  function small(kilobytes: number): string[] {
    const folder = scratch();
    expect(
      Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${kilobytes}k`, "small", folder]).exitCode,
    ).toBe(0);
    mounted.push(folder);
    return ["--root", folder, "--run", scratch()];
  }

  const filesIn = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`);

  test("an image that does not fit is told so, and nothing of it stays", async () => {
    const at = small(1024);
    const result = await mydocker([...at, "run", "--rm", "busybox", "true"]);
    expect(result).toMatchObject({ code: 125, stdout: "" });
    expect(result.stderr).toMatch(/^mydocker: .*no space left.*\n$/i);
    expect(filesIn(at[1] ?? "").filter((file) => !file.endsWith("images.json"))).toEqual([]);
  });

  test("commit says so and leaves no image; with room again the same name can be taken", async () => {
    const at = small(4096);
    const [folder = ""] = at.slice(1);
    const name = newName();
    const fill = "dd if=/dev/zero of=/big bs=1k count=1000 2>/dev/null; sleep 1000";
    expect((await mydocker([...at, "run", "-d", "--name", name, "busybox", "sh", "-c", fill])).code).toBe(0);
    const upper = `${folder}/overlay2/${readdirSync(`${folder}/overlay2`)[0]}/upper`;
    await until(() => existsSync(`${upper}/big`) && statSync(`${upper}/big`).size === 1024_000, "the file");
    const result = await mydocker([...at, "commit", name, "copy"]);
    expect(result).toMatchObject({ code: 125, stdout: "" });
    expect(result.stderr).toMatch(/no space left/i);
    expect(filesIn(`${folder}/blobs`)).toEqual([]);
    expect((await mydocker([...at, "exec", name, "rm", "/big"])).code).toBe(0);
    Bun.spawnSync(["mount", "-o", "remount,size=64m", folder]);
    const again = await mydocker([...at, "commit", name, "copy"]);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(again.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect((await mydocker([...at, "rm", "-f", name])).code).toBe(0);
  });

  test("a program that fills it fails alone; ps, stop and rm go on", async () => {
    const at = small(4096);
    const name = newName();
    const fill = "dd if=/dev/zero of=/big bs=1M count=100 2>/dev/null; echo full; sleep 1000";
    await mydocker([...at, "run", "-d", "--name", name, "busybox", "sh", "-c", fill]);
    await until(() => statfsSync(at[1] ?? "").bfree === 0, "the disk to be full");
    expect((await mydocker([...at, "ps", "--format", "{{.Names}}"])).stdout).toBe(`${name}\n`);
    expect((await mydocker([...at, "run", "-d", "busybox", "sleep", "1000"])).code).toBe(125);
    expect(await mydocker([...at, "stop", "-t", "0", name])).toMatchObject({ code: 0 });
    expect(await mydocker([...at, "rm", name])).toMatchObject({ code: 0 });
    expect((await mydocker([...at, "ps", "-aq"])).stdout).toBe("");
  });
});

describe("after a boot", () => {
  /** What a boot does: every process is gone, /run is empty, and nothing is mounted. */
  async function boot(pid: number): Promise<void> {
    const monitor = Number(statusField(pid, "PPid"));
    process.kill(monitor, "SIGKILL");
    // which the program does not outlive
    await until(() => !existsSync(`/proc/${pid}`), "its end");
    for (const id of readdirSync(`${ROOT}/overlay2`))
      Bun.spawnSync(["umount", `${ROOT}/overlay2/${id}/merged`]);
    rmSync(RUN, { recursive: true });
  }

  test("what ran is shown as ended, and can be started with its files, entered and removed", async () => {
    const { name, id, pid } = await background("busybox", "sh", "-c", "echo run >>/runs; sleep 1000");
    await until(async () => (await mydocker(["exec", name, "cat", "/runs"])).stdout === "run\n", "its file");
    await boot(pid);
    expect(await ok("ps", "-q")).toBe("");
    expect(await ok("ps", "-a", "--format", "{{.ID}} {{.State}}")).toBe(`${id} exited`);
    await fails(1, /is not running/, "exec", name, "true");
    await ok("start", name);
    await until(async () => (await ok("exec", name, "cat", "/runs")) === "run\nrun", "the second run");
    expect(await ok("rm", "-f", name)).toBe(name);
  });

  test("it can be removed, committed and asked about at once", async () => {
    const { name, pid } = await background("busybox", "sh", "-c", "echo kept >/kept; sleep 1000");
    await until(async () => (await mydocker(["exec", name, "cat", "/kept"])).code === 0, "its file");
    await boot(pid);
    expect(await ok("inspect", "-f", "{{.State.Running}} {{.State.Pid}}", name)).toBe("false 0");
    await ok("commit", name, "booted");
    expect(await ok("run", "--rm", "booted", "cat", "/kept")).toBe("kept");
    expect(await ok("rm", name)).toBe(name);
    await ok("rmi", "booted");
  });
});

describe("work that is cut off", () => {
  afterEach(async () => {
    for (const image of ["large", "cut"]) await mydocker(["rmi", "-f", image]);
  });

  const DEBIAN = "/var/cache/mydocker-test/debian.tar.gz";
  const image = (): void => {
    mkdirSync(`${ROOT}/image`, { recursive: true });
    copyFileSync(existsSync(DEBIAN) ? DEBIAN : "/nonexistent", `${ROOT}/image/large.tar`);
  };

  test("an import killed at many moments leaves nothing, and the next one is whole", async () => {
    image();
    const before = layers().length;
    for (const delay of SLOW ? [300, 3000] : [20, 100, 300, 900]) {
      const child = start(["run", "--rm", "large", "true"]);
      await Promise.race([child.exited, Bun.sleep(delay)]);
      child.kill("SIGKILL");
      await child.exited;
    }
    const files = await ok(
      "run",
      "--rm",
      "large",
      "sh",
      "-c",
      "find / -xdev | wc -l; test -x /usr/bin/perl && echo whole",
    );
    expect(files).toMatch(/^[0-9]{4,}\nwhole$/);
    expect(layers()).toHaveLength(before + 1);
    expect(leftovers()).toEqual([]);
  });

  test("a first use by many at once unpacks it once", async () => {
    image();
    const before = layers();
    const runs = Array.from({ length: 6 }, () =>
      mydocker(["run", "--rm", "large", "cat", "/etc/debian_version"]),
    );
    const results = await Promise.all(runs);
    expect(new Set(results.map(({ code, stderr }) => `${code} ${stderr}`))).toEqual(new Set(["0 "]));
    expect(layers()).toHaveLength(before.length + 1);
    await ok("rmi", "large");
    expect(layers()).toEqual(before);
  });

  test("a commit that is killed leaves no image, and can be done again", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=64");
    for (const delay of SLOW ? [400, 900] : [15, 40, 70]) {
      const child = start(["commit", name, "cut"]);
      await Bun.sleep(delay);
      child.kill("SIGKILL");
      await child.exited;
      // where it was faster than that, the image is a whole one
      if ((await ok("images", "-q", "cut")) !== "") await ok("rmi", "cut");
    }
    await ok("commit", name, "cut");
    expect(await ok("run", "--rm", "cut", "stat", "-c", "%s", "/big")).toBe(String(64 << 20));
    await ok("image", "prune", "-f");
    expect(readdirSync(`${ROOT}/blobs/partial`)).toEqual([]);
  });
});

describe("many at once", () => {
  test("30 commands in one container", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, i) => mydocker(["exec", name, "sh", "-c", `echo ${i}; exit ${i}`])),
    );
    for (const [i, result] of results.entries())
      expect(result).toEqual({ code: i, stdout: `${i}\n`, stderr: "" });
  });

  test("start, stop, restart, kill, exec and rm of one container: it ends in one piece or not at all", async () => {
    const { name, id } = await background("busybox", "sleep", "1000");
    const verbs = ["start", "stop -t 0", "restart -t 0", "kill", "exec", "inspect", "commit"];
    const calls = Array.from({ length: 21 }, (_, i) => {
      const verb = (verbs[i % verbs.length] ?? "").split(" ");
      const rest = verb[0] === "exec" ? ["true"] : verb[0] === "commit" ? [`many-${i}`] : [];
      return mydocker([...verb, name, ...rest]).then((result) => ({ verb: verb[0], ...result }));
    });
    for (const { verb, code, stderr } of await Promise.all(calls)) {
      // a command in a container that is stopped under it ends with it, as its code says
      const ended = verb === "exec" && code === 137;
      if (code !== 0 && !ended)
        expect({ verb, code, stderr }).toMatchObject({ stderr: expect.stringMatching(/^mydocker: /) });
    }
    expect(await ok("ps", "-aq")).toBe(id);
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "echo", "in")).toBe("in");
    for (const file of readdirSync(`${ROOT}/image`)) rmSync(`${ROOT}/image/${file}`);
  });

  test("one that waits for another's start sees that it is done, and does not wait on", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await ok("kill", name);
    const before = performance.now();
    await Promise.all(Array.from({ length: 5 }, () => ok("start", name)));
    expect(performance.now() - before).toBeLessThan(8000);
  });

  test("a stop ends 200 processes, whatever they catch", async () => {
    const script =
      "trap '' TERM HUP INT; for i in $(seq 200); do (trap '' TERM; sleep 1000) & done; echo up; wait";
    const { name, id } = await background("--pids-limit", "500", "busybox", "sh", "-c", script);
    await until(async () => (await ok("logs", name)) === "up", "all of them");
    await ok("stop", "-t", "1", id);
    expect(leftovers().filter((one) => /cgroup|^process/.test(one))).toEqual([]);
  });
});
