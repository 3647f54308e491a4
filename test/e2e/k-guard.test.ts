import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import {
  BINARY,
  background,
  ENV,
  fails,
  leftovers,
  monitors,
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

/** The monitor of a container: its first process's parent. */
function monitorOf(pid: number): number {
  return Number(/^PPid:\t([0-9]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Runs a line of shell in which "$M" is the executable. */
function shell(line: string) {
  return Bun.spawn(["/bin/sh", "-c", line], {
    env: { ...ENV, M: BINARY },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Whether a process runs: what only waits to be reaped, by whoever is its parent now, does not. */
const present = (pid: number): boolean => !["", "Z (zombie)"].includes(statusField(pid, "State"));

describe("what a container must not reach", () => {
  test("the executable on the host: what a container's processes were started from is read-only", async () => {
    const { pid } = await background("busybox", "sleep", "1000");
    const exe = `/proc/${monitorOf(pid)}/exe`;
    expect(statSync(exe).ino).toBe(statSync(BINARY).ino);
    expect(() => chmodSync(exe, 0o755)).toThrow("EROFS");
    expect(() => writeFileSync(exe, "x", { flag: "r+" })).toThrow(/EROFS|ETXTBSY/);
  });

  test("the host's /dev/null, with which paths are masked", async () => {
    const mode = statSync("/dev/null").mode;
    const changed = await mydocker(["run", "--rm", "busybox", "chmod", "600", "/proc/interrupts"]);
    expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining("Read-only file system") });
    expect(statSync("/dev/null").mode).toBe(mode);
    // a mask can be read, and says nothing
    expect(await ok("run", "--rm", "busybox", "sh", "-c", "cat /proc/interrupts; echo x >/proc/keys")).toBe(
      "",
    );
  });

  test("devices and /proc, by way of an /etc/passwd that the host's root reads", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    for (const made of [
      "mknod P c 1 11",
      "mknod P b 254 0",
      "ln -s /proc/1/mem P",
      "ln -s /proc/kmsg P",
      "mkdir P",
    ]) {
      await ok("exec", name, "sh", "-c", `rm -rf /etc/passwd; ${made.replace("P", "/etc/passwd")}`);
      await ok("exec", name, "true");
      await ok("exec", "-u", "7", name, "true");
      await fails(126, /no matching entries in passwd file/, "exec", "-u", "daemon", name, "true");
    }
  });
});

describe("a monitor that is killed", () => {
  test("takes the program with it, whoever that runs as", async () => {
    for (const user of ["0", "1000"]) {
      const { pid, name } = await background("-u", user, "busybox", "sleep", "1000");
      process.kill(monitorOf(pid), "SIGKILL");
      await until(() => !present(pid), `the program of ${user} to end`);
      expect(await ok("ps", "-q", "--filter", `name=${name}`)).toBe("");
    }
  });

  test("a program that outlives it is shown to run, is stopped, and can be started again", async () => {
    // executing a set-user-ID program takes away the signal that would end it (prctl(2))
    const folder = scratch();
    mkdirSync(`${folder}/bin`);
    copyFileSync("/bin/busybox", `${folder}/bin/busybox`);
    chmodSync(`${folder}/bin/busybox`, 0o4755);
    const { pid, name } = await background("-u", "1000", "--rootfs", folder, "/bin/busybox", "sleep", "1000");
    const monitor = monitorOf(pid);
    process.kill(monitor, "SIGKILL");
    await until(() => !present(monitor), "the monitor to end");
    expect(present(pid)).toBe(true);
    expect(await ok("ps", "--filter", `name=${name}`, "--format", "{{.PID}}")).toBe(String(pid));
    await fails(1, /it is running/, "rm", name);
    await ok("stop", "-t", "0", name);
    expect(present(pid)).toBe(false);
    expect(await ok("inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", name)).toBe("false 137");
    await ok("start", name);
    expect(await ok("inspect", "-f", "{{.State.Running}}", name)).toBe("true");
  });

  test("an attached client ends with 137 and cleans up in its place", async () => {
    for (const options of [["--rm"], []]) {
      const name = newName();
      const child = start(["run", ...options, "--name", name, "busybox", "sleep", "1000"]);
      const pid = await until(
        async () => Number((await mydocker(["inspect", "-f", "{{.State.Pid}}", name])).stdout),
        "the container to run",
      );
      process.kill(monitorOf(pid), "SIGKILL");
      expect(await child.exited).toBe(137);
      if (options.length > 0) expect(leftovers()).toEqual([]);
      else expect(await ok("start", name)).toBe(name);
    }
  });

  test("a container of run -d --rm is gone when somebody looks, and its name is free", async () => {
    const name = newName();
    for (let round = 0; round < 2; round++) {
      await ok("run", "-d", "--rm", "--name", name, "busybox", "sleep", "1000");
      for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
      await until(() => monitors().length === 0, "the monitor to end");
      if (round === 0) expect(await ok("ps", "-aq")).toBe("");
    }
    await fails(1, /No such container/, "start", name).catch(async () => {
      // started before anybody looked, it runs once more
      expect(await ok("inspect", "-f", "{{.State.Running}}", name)).toBe("true");
    });
  });
});

describe("a client that does not take its output", () => {
  test("keeps nobody from stopping, showing and removing the container", async () => {
    const name = newName();
    const line = shell(`"$M" run --name ${name} busybox yes | sleep 60`);
    try {
      await until(
        async () => (await ok("ps", "-q", "--filter", `name=${name}`)) !== "",
        "the container to run",
      );
      await Bun.sleep(300);
      const before = Date.now();
      await ok("stop", "-t", "0", name);
      expect(Date.now() - before).toBeLessThan(8000);
      expect(await ok("ps", "-q", "--filter", `name=${name}`)).toBe("");
      expect(await ok("logs", "--tail", "1", name)).toBe("y");
      await ok("rm", name);
      expect(leftovers().filter((left) => !left.includes("process"))).toEqual([]);
    } finally {
      Bun.spawnSync(["pkill", "-P", String(line.pid)]);
      line.kill();
      await line.exited;
    }
  });

  test("gets all of it when it does, however late", async () => {
    for (const options of ["--rm", ""]) {
      const line = shell(
        `"$M" run ${options} busybox sh -c 'seq 1 30000; seq 1 30000 >&2' 2>&1 | (sleep 1; wc -l)`,
      );
      expect((await new Response(line.stdout).text()).trim()).toBe("60000");
    }
    const { name } = await background("busybox", "sleep", "1000");
    const line = shell(
      `("$M" exec ${name} sh -c 'seq 1 30000; exit 7'; echo "code $?") | (sleep 1; tail -n 2)`,
    );
    expect(await new Response(line.stdout).text()).toBe("30000\ncode 7\n");
  });

  test("and one that is stopped (SIGSTOP) harms neither its --rm container nor the next one of that name", async () => {
    const name = newName();
    const child = start(["run", "--rm", "--name", name, "busybox", "sh", "-c", "echo up; sleep 2; exit 7"]);
    await child.stdout.getReader().read();
    // the client may still be about to tell the monitor that all is well
    await Bun.sleep(SLOW ? 1000 : 300);
    child.kill("SIGSTOP");
    await until(async () => (await ok("ps", "-aq")) === "", "the container to go");
    const { code } = await mydocker(["run", "-d", "--name", name, "busybox", "sleep", "1000"]);
    expect(code).toBe(0);
    child.kill("SIGCONT");
    expect(await child.exited).toBe(7);
    expect(await ok("ps", "--format", "{{.Names}}")).toBe(name);
  });
});

describe("records that are lost or damaged while the container runs", () => {
  const DAMAGES: Readonly<Record<string, (name: string, id: string) => void>> = {
    "its folder in /run is gone": (name) => rmSync(`${RUN}/${name}`, { recursive: true }),
    "its state is empty": (name) => writeFileSync(`${RUN}/${name}/config.json`, ""),
  };
  for (const [what, damage] of Object.entries(DAMAGES))
    test(`${what}: it is shown, entered, stopped, started and removed`, async () => {
      const { name, id, pid } = await background("busybox", "sleep", "1000");
      damage(name, id);
      expect(await ok("ps", "--format", "{{.Names}} {{.PID}}")).toBe(`${name} ${pid}`);
      expect(await ok("ps", "-a", "--format", "{{.Names}} {{.State}}")).toBe(`${name} running`);
      expect(await ok("exec", name, "echo", "in")).toBe("in");
      await ok("stop", "-t", "0", name);
      expect(present(pid)).toBe(false);
      await ok("start", name);
      damage(name, id);
      await ok("rm", "-f", name);
      expect(leftovers()).toEqual([]);
    });

  test("a damaged record: rm -f ends the program and removes all", async () => {
    const { id, pid } = await background("busybox", "sleep", "1000");
    writeFileSync(`${ROOT}/containers/${id}/record.json`, '{"id');
    await ok("rm", "-f", id);
    expect(present(pid)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("the exit code of a run that a boot cut off is not that of the run before", async () => {
    const name = newName();
    await ok(
      "run",
      "--name",
      name,
      "busybox",
      "sh",
      "-c",
      "[ -e /twice ] && exec sleep 1000; touch /twice; exit 0",
    );
    await ok("start", name);
    for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
    await until(() => monitors().length === 0, "the monitor to end");
    rmSync(RUN, { recursive: true });
    expect(await ok("ps", "-a", "--format", "{{.Status}}")).toBe("Exited (137)");
  });

  test("a line of the log that a full disk cut off is passed over", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "echo", "before");
    const log = await ok("inspect", "-f", "{{.LogPath}}", name);
    const whole = readFileSync(log, "utf8");
    writeFileSync(log, `${whole}${whole.slice(0, 20)}\n${whole.replace("before", "behind")}`);
    expect(await ok("logs", name)).toBe("before\nbehind");
  });

  test("states that a killed start left behind go with the next one", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "true");
    const stale = `${RUN}/${name}/.config.json.999999`;
    writeFileSync(stale, "{");
    await ok("start", name);
    expect(existsSync(stale)).toBe(false);
  });

  test("a command line of any length leaves a state that can be read", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "true", "@".repeat(100_000));
    const state = await until(() => {
      const text = readFileSync(`${RUN}/${name}/config.json`, "utf8");
      return text.includes("exited") && text;
    }, "the end to be recorded");
    expect(JSON.parse(state || "")).toMatchObject({ command: `true ${"@".repeat(100_000)}`, exitCode: 0 });
  });
});

test("rm -f wins against a start at the same moment", async () => {
  for (let delay = 0; delay < 40; delay += 4) {
    const name = newName();
    await ok("run", "--name", name, "busybox", "sh", "-c", "[ -e /twice ] && exec sleep 1000; touch /twice");
    const starting = start(["start", name]);
    await Bun.sleep(delay);
    const before = Date.now();
    await ok("rm", "-f", name);
    expect(Date.now() - before).toBeLessThan(9000);
    await starting.exited;
    // removed before the other one had a look, or behind its start
    expect(await ok("ps", "-aq")).toBe("");
  }
}, 120_000);
