import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  BINARY,
  background,
  ENV,
  fails,
  mydocker,
  newName,
  ok,
  scratch,
  start,
  statusField,
  suite,
  until,
} from "./harness.ts";

suite();

describe("run in the foreground", () => {
  test("passes stdout, stderr and the exit code on, each for itself", async () => {
    const script = "echo out; echo err >&2; exit 7";
    expect(await mydocker(["run", "busybox", "sh", "-c", script])).toEqual({
      code: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test("without --rm the container stays, with it nothing does", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "true");
    expect(await ok("ps", "-a", "--format", "{{.Names}} {{.State}}")).toBe(`${name} exited`);
    await ok("rm", name);
    await ok("run", "--rm", "--name", name, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("-i passes stdin to its end, without it stdin is empty", async () => {
    const big = "0123456789abcdef".repeat(20_000);
    const passed = await mydocker(["run", "--rm", "-i", "busybox", "cat"], { stdin: big });
    expect(passed.stdout).toBe(big);
    const none = await mydocker(["run", "--rm", "busybox", "cat"], { stdin: "lost" });
    expect(none).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("binary output arrives byte for byte", async () => {
    const child = start([
      "run",
      "--rm",
      "busybox",
      "sh",
      "-c",
      "head -c 3000000 /bin/busybox | head -c 1500000",
    ]);
    const bytes = new Uint8Array(await new Response(child.stdout).arrayBuffer());
    expect(await child.exited).toBe(0);
    const original = readFileSync("/bin/busybox").subarray(0, 1_500_000);
    expect(Bun.hash(bytes)).toBe(Bun.hash(new Uint8Array(original)));
  });

  test("arguments arrive as given: blanks, quotes, empty ones, flags behind the image", async () => {
    const args = ["a b", "", "'q'", '"d"', "$HOME", "*", "-d", "--rm", "ü"];
    const out = await ok("run", "--rm", "busybox", "sh", "-c", 'for a; do echo "[$a]"; done', "sh", ...args);
    expect(out.split("\n")).toEqual(args.map((arg) => `[${arg}]`));
  });

  test("signals are forwarded, and their exit codes are 128+n", async () => {
    const trap = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    const child = start(["run", "--rm", "busybox", "sh", "-c", trap]);
    const reader = child.stdout.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("ready\n");
    child.kill("SIGTERM");
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("got\n");
    expect(await child.exited).toBe(3);
    const name = newName();
    const victim = start(["run", "--name", name, "busybox", "sleep", "1000"]);
    const pid = await until(
      async () => Number((await mydocker(["inspect", "-f", "{{.State.Pid}}", name])).stdout),
      "a pid",
    );
    process.kill(pid, "SIGKILL");
    expect(await victim.exited).toBe(137);
  });

  test("exit codes: 127 not found, 126 not executable, 125 ours", async () => {
    await fails(127, /"nosuch".*executable file not found in \$PATH/, "run", "busybox", "nosuch");
    await fails(127, /"\/no\/such"/, "run", "busybox", "/no/such");
    await fails(126, /permission denied/, "run", "busybox", "/etc/passwd");
    await fails(126, /permission denied/, "run", "busybox", "/etc");
    await fails(125, /Unable to find image 'nosuchimage/, "run", "nosuchimage", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("a stdout that cannot be written ends the client, not the container", async () => {
    const name = newName();
    const child = start(["run", "--name", name, "busybox", "sh", "-c", "seq 1 100000; exec sleep 1000"]);
    await child.stdout.cancel();
    expect(await new Response(child.stderr).text()).toBe("mydocker: write /dev/stdout: broken pipe\n");
    expect(await child.exited).toBe(1);
    expect(await ok("ps", "--format", "{{.Names}}")).toBe(name);
    await until(async () => (await ok("logs", "--tail", "1", name)) === "100000", "all of it to be logged");
    const full = Bun.spawnSync(["/bin/sh", "-c", '"$M" run --rm busybox echo x >/dev/full'], {
      env: { ...ENV, M: BINARY },
    });
    expect(full.exitCode).toBe(1);
    expect(full.stderr.toString()).toBe("mydocker: write /dev/stdout: no space left on device\n");
  });

  test("a stdin that is closed is an empty one", () => {
    for (const [options, program] of [
      ["", "ls -l /proc/self/fd/0"],
      ["-i", "cat"],
    ]) {
      const line = `"$M" run --rm ${options} busybox ${program} <&-`;
      const { exitCode, stdout } = Bun.spawnSync(["/bin/sh", "-c", line], { env: { ...ENV, M: BINARY } });
      expect({ options, exitCode }).toEqual({ options, exitCode: 0 });
      expect(stdout.toString()).toMatch(options === "" ? /-> \/dev\/null\n$/ : /^$/);
    }
  });

  test("three SIGINTs let a person go whose program does not listen", async () => {
    const child = start([
      "run",
      "busybox",
      "sh",
      "-c",
      "trap '' INT TERM; echo up; while :; do sleep 0.1; done",
    ]);
    await child.stdout.getReader().read();
    for (const signal of ["SIGINT", "SIGTERM", "SIGINT"] as const) {
      expect(child.exitCode).toBe(null);
      child.kill(signal);
      await Bun.sleep(100);
    }
    expect(await child.exited).toBe(1);
    expect(await new Response(child.stderr).text()).toContain("forcefully exiting");
    expect((await ok("ps", "-q")).split("\n")).toHaveLength(1);
  });
});

describe("run -d", () => {
  test("prints the id only, and the program runs when it returns", async () => {
    const { id, pid } = await background("busybox", "sleep", "1000");
    expect(id).toMatch(/^[0-9]{10}$/);
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe(
      "sleep\x001000\0".replace("\x001000", "\0" + "1000"),
    );
  });

  test("leaves no JavaScript process behind: the container's parent is small and has no threads", async () => {
    const { pid } = await background("busybox", "sleep", "1000");
    const parent = Number(statusField(pid, "PPid"));
    expect(statusField(parent, "Name")).toBe("mydocker:mon");
    expect(statusField(parent, "Threads")).toBe("1");
    const rollup = readFileSync(`/proc/${parent}/smaps_rollup`, "utf8");
    expect(Number(/Private_Dirty:\s+([0-9]+)/.exec(rollup)?.[1])).toBeLessThanOrEqual(512);
    expect(existsSync(`/proc/${parent}/cwd/proc`)).toBe(true);
  });

  test("a program that does not exist is told at once, and leaves nothing", async () => {
    const name = newName();
    await fails(127, /nosuch/, "run", "-d", "--name", name, "busybox", "nosuch");
    expect(await ok("ps", "-aq")).toBe("");
    await ok("run", "-d", "--name", name, "busybox", "sleep", "100");
  });

  test("--rm removes the container when it ends, with no client there", async () => {
    const { name } = await background("--rm", "busybox", "sleep", "0.2");
    await until(async () => (await ok("ps", "-aq")) === "", `${name} to be removed`);
  });

  test("-it with -d is refused", () => fails(125, /-it and -d/, "run", "-it", "-d", "busybox", "sh"));

  test("a shell on -d -i waits for its stdin", async () => {
    const { pid } = await background("-i", "busybox", "sh");
    expect(statusField(pid, "State")).toMatch(/^[SR]/);
  });
});

describe("options of run", () => {
  test("-e, --env-file: the caller's value, no value, a file with comments and quotes", async () => {
    const file = `${scratch()}/env`;
    writeFileSync(file, '\ufeff# comment\nA=1 2\nQ="q"\nE=\nHOSTV\nGONE\n');
    const args = [
      "run",
      "--rm",
      "--env-file",
      file,
      "-e",
      "B=b=c",
      "-e",
      "HOSTV2",
      "-e",
      "NONE",
      "busybox",
      "env",
    ];
    const { stdout } = await mydocker(args, { env: { HOSTV: "h", HOSTV2: "h2" } });
    const lines = stdout.trim().split("\n");
    expect(lines).toEqual(expect.arrayContaining(["A=1 2", 'Q="q"', "E=", "HOSTV=h", "B=b=c", "HOSTV2=h2"]));
    expect(lines.some((line) => line.startsWith("NONE") || line.startsWith("GONE"))).toBe(false);
  });

  test("-v: read-write, read-only, a folder that is made, a file, several", async () => {
    const folder = scratch();
    mkdirSync(`${folder}/rw`);
    writeFileSync(`${folder}/file`, "content\n");
    const volumes = [
      "-v",
      `${folder}/rw:/rw`,
      "-v",
      `${folder}/new/deep:/made`,
      "-v",
      `${folder}/file:/f:ro`,
    ];
    const out = await ok(
      "run",
      "--rm",
      ...volumes,
      "busybox",
      "sh",
      "-c",
      "echo x >/rw/x; echo y >/made/y; cat /f; (echo no >/f) 2>&1; true",
    );
    expect(out).toContain("content");
    expect(out).toContain("Read-only file system");
    expect(readFileSync(`${folder}/rw/x`, "utf8")).toBe("x\n");
    expect(readFileSync(`${folder}/new/deep/y`, "utf8")).toBe("y\n");
  });

  test("-w makes the folder; -h names the host; --entrypoint replaces", async () => {
    const out = await ok(
      "run",
      "--rm",
      "-w",
      "/made/here",
      "-h",
      "box",
      "busybox",
      "sh",
      "-c",
      "pwd; hostname; cat /etc/hostname",
    );
    expect(out).toBe("/made/here\nbox\nbox");
    expect(await ok("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b")).toBe("a b");
    expect(await ok("run", "--rm", "--entrypoint", "", "busybox", "echo", "c")).toBe("c");
    await fails(127, /nosuch/, "run", "--rm", "--entrypoint", "nosuch", "busybox");
  });

  test("-u: a name, a number, a group; HOME follows; an unknown name is refused", async () => {
    const show = "id -u; id -g; id -G; echo $HOME";
    expect(await ok("run", "--rm", "-u", "www-data", "busybox", "sh", "-c", show)).toBe(
      "33\n33\n33\n/var/www",
    );
    expect(await ok("run", "--rm", "-u", "1234:50", "busybox", "sh", "-c", show)).toBe("1234\n50\n50\n/");
    expect(await ok("run", "--rm", "busybox", "grep", "Groups", "/proc/self/status")).toMatch(/\t0 10 $/);
    await fails(
      125,
      /no matching entries in passwd file/,
      "run",
      "--rm",
      "-u",
      "nobodyhere",
      "busybox",
      "true",
    );
    const caps = await ok("run", "--rm", "-u", "33", "busybox", "grep", "^Cap", "/proc/self/status");
    expect(caps).toMatch(/CapPrm:\s+0+\n/);
    expect(caps).toMatch(/CapBnd:\s+00000000a80425fb/);
  });

  test("bad input: one line each, and the right code", async () => {
    await fails(125, /invalid size: 'x'/, "run", "-m", "x", "busybox");
    await fails(125, /minimum memory limit allowed is 6MB/, "run", "-m", "1m", "busybox");
    await fails(125, /invalid volume specification/, "run", "-v", "a", "busybox");
    await fails(125, /invalid volume specification/, "run", "-v", "/a:b", "busybox");
    await fails(125, /invalid container name/, "run", "--name", "../x", "busybox");
    await fails(125, /invalid reference format/, "run", "../busybox");
    await fails(125, /unknown flag: --nmae.*--name/, "run", "--nmae", "x", "busybox");
    await fails(1, /requires at least 1 argument/, "run");
    await fails(125, /range of CPUs/, "run", "--cpus", "1000", "busybox");
    await fails(125, /no such folder/, "run", "--rootfs", "/nosuchfolder", "true");
  });

  test("a name in use is refused, and the holder is named", async () => {
    const { name, id } = await background("busybox", "sleep", "1000");
    await fails(
      125,
      new RegExp(`"${name}" is already in use by container "${id}"`),
      "run",
      "--name",
      name,
      "busybox",
      "true",
    );
  });
});

describe("run --rootfs", () => {
  test("the host's own root: its programs, in isolation, and nothing on the host changes", async () => {
    const out = await ok(
      "run",
      "--rm",
      "--rootfs",
      "/",
      "/bin/sh",
      "-c",
      "echo $$; touch /mydocker-was-here && ls /mydocker-was-here",
    );
    expect(out).toBe("1\n/mydocker-was-here");
    expect(existsSync("/mydocker-was-here")).toBe(false);
  });
});
