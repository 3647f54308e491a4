import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import {
  background,
  cgroupsLeft,
  fails,
  mountsLeft,
  mydocker,
  namespaces,
  newName,
  ok,
  ROOT,
  RUN,
  scratch,
  start,
  statusField,
  suite,
  until,
} from "./harness.ts";

suite();

describe("ps", () => {
  test("the classic columns, running ones only; -a, -q, --no-trunc, --format", async () => {
    const { name, id, pid } = await background("busybox", "sh", "-c", "sleep 1000; echo a long command line");
    const ended = newName();
    await mydocker(["run", "--name", ended, "busybox", "false"]);
    const [header = "", line = "", ...more] = (await ok("ps")).split("\n");
    expect(header.split(/ {2,}/)).toEqual(["ID", "NAME", "PID", "STATUS", "COMMAND", "CREATED"]);
    expect(line.split(/ {2,}/).slice(0, 4)).toEqual([id, name, String(pid), "running"]);
    expect(line).toMatch(/sh -c 'sleep 1000; ….*[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$/);
    expect(more).toEqual([]);
    expect(await ok("ps", "--no-trunc")).toContain("echo a long command line");
    expect((await ok("ps", "-aq")).split("\n")).toHaveLength(2);
    expect(await ok("ps", "-q")).toBe(id);
    expect(await ok("ps", "-a", "--format", "{{.Names}}:{{.State}}:{{.Image}}")).toBe(
      `${ended}:exited:busybox\n${name}:running:busybox`,
    );
    expect(await ok("ps", "-a", "--filter", "exited=1", "--format", "{{.Status}}")).toMatch(
      /^Exited \(1\) .* ago$/,
    );
    expect(await ok("ps", "--filter", `name=${name}`, "--format", "json")).toContain(`"ID":"${id}"`);
    await fails(125, /invalid filter 'colour'/, "ps", "--filter", "colour=red");
  });

  test("a container that is killed from outside is never shown running; so is one whose monitor is killed", async () => {
    const first = await background("busybox", "sleep", "1000");
    process.kill(first.pid, "SIGKILL");
    await until(
      () => !existsSync(`/proc/${first.pid}`) || statusField(first.pid, "State").startsWith("Z"),
      "death",
    );
    await until(async () => (await ok("ps", "-q")) === "", "ps to be true");
    expect(await ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", first.name)).toBe("exited 137");
    const second = await background("busybox", "sleep", "1000");
    process.kill(Number(statusField(second.pid, "PPid")), "SIGKILL");
    await until(async () => (await ok("ps", "-q")) === "", "ps to be true");
    await until(() => !existsSync(`/proc/${second.pid}`), "the container to go with its monitor");
    expect(await ok("ps", "-a", "--filter", `name=${second.name}`, "--format", "{{.Status}}")).toMatch(
      /^Exited \(137\)/,
    );
    await ok("start", second.name);
    expect(await ok("ps", "-q")).toBe(second.id);
  });

  test("one of an earlier boot is not shown running", async () => {
    const { name, pid } = await background("busybox", "sleep", "1000");
    const state = JSON.parse(readFileSync(`${RUN}/${name}/config.json`, "utf8"));
    expect(state).toMatchObject({ pid: String(pid), name, command: "sleep 1000", status: "running" });
    writeFileSync(`${RUN}/${name}/config.json`, JSON.stringify({ ...state, bootId: "another" }));
    expect(await ok("ps", "-q")).toBe("");
    writeFileSync(`${RUN}/${name}/config.json`, JSON.stringify(state));
    expect(await ok("ps", "-q")).not.toBe("");
  });
});

describe("logs", () => {
  const chatty = "echo one; echo two >&2; echo three; printf end";

  test("stdout and stderr apart, --tail, -t, --since", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "sh", "-c", chatty);
    expect(await mydocker(["logs", name])).toEqual({ code: 0, stdout: "one\nthree\nend", stderr: "two\n" });
    expect((await mydocker(["logs", "--tail", "0", name])).stdout).toBe("");
    expect(await ok("logs", "-t", "--tail", "1", name)).toMatch(
      /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z end$/,
    );
    expect(await ok("logs", "--since", "2099-01-01T00:00:00Z", name)).toBe("");
    expect(await ok("logs", "--since", "10m", name)).toBe("one\nthree\nend");
    const lines = newName();
    await ok("run", "--name", lines, "busybox", "seq", "1000");
    expect(await ok("logs", "--tail", "3", lines)).toBe("998\n999\n1000");
    expect(await ok("logs", "-n", "all", lines)).toBe(
      Array.from({ length: 1000 }, (_, i) => i + 1).join("\n"),
    );
    await fails(125, /invalid value "x" for --tail/, "logs", "--tail", "x", name);
  });

  test("-f shows what comes and ends with the container", async () => {
    const { name } = await background("busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done");
    expect(await ok("logs", "-f", name)).toBe("1\n2\n3");
  });

  test("long lines, control characters and odd bytes survive as Docker's json-file has them", async () => {
    const name = newName();
    const script = `printf 'tab\\there "quoted" back\\\\slash \\033[1m\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'ü€😀 \\377\\n'`;
    await ok("run", "--name", name, "busybox", "sh", "-c", script);
    const { stdout } = await mydocker(["logs", name]);
    expect(stdout).toBe(`tab\there "quoted" back\\slash \u001b[1m\n${"x".repeat(40000)}\nü€😀 \ufffd\n`);
    for (const line of readFileSync(await ok("inspect", "-f", "{{.LogPath}}", name), "utf8")
      .trim()
      .split("\n"))
      expect(Object.keys(JSON.parse(line))).toEqual(["log", "stream", "time"]);
  });
});

describe("exec", () => {
  test("all namespaces, the cgroup, the environment, the capabilities and the exit code", async () => {
    const { name, pid } = await background(
      "-e",
      "A=1",
      "-e",
      "B=2",
      "-w",
      "/tmp",
      "busybox",
      "sleep",
      "1000",
    );
    await ok("exec", "-d", name, "sleep", "555");
    const entered = await until(async () => {
      const { stdout } = await mydocker(["exec", name, "pidof", "sleep"]);
      const inner = stdout
        .trim()
        .split(" ")
        .find((one) => one !== "1");
      return inner ? findByNsPid(pid, inner) : 0;
    }, "the second sleep");
    expect(namespaces(entered)).toEqual(namespaces(pid));
    expect(readFileSync(`/proc/${entered}/cgroup`, "utf8")).toBe(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
    for (const field of ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"])
      expect(statusField(entered, field)).toBe(statusField(pid, field));
    expect(
      await ok(
        "exec",
        "-e",
        "B=3",
        "-e",
        "C=4",
        name,
        "sh",
        "-c",
        "echo $A$B$C; pwd; ls /proc/self/fd | wc -l",
      ),
    ).toBe("134\n/tmp\n4");
    expect((await mydocker(["exec", name, "sh", "-c", "exit 42"])).code).toBe(42);
    expect((await mydocker(["exec", name, "sh", "-c", "kill -TERM $$"])).code).toBe(143);
  });

  test("-w, -u, -i, arguments as given, stdout and stderr apart", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    expect(await ok("exec", "-w", "/etc", "-u", "33", name, "sh", "-c", "pwd; id -u; echo $HOME")).toBe(
      "/etc\n33\n/var/www",
    );
    expect((await mydocker(["exec", "-i", name, "cat"], { stdin: "in\n" })).stdout).toBe("in\n");
    expect(await ok("exec", name, "sh", "-c", 'for a; do echo "[$a]"; done', "sh", "a b", "", "-x")).toBe(
      "[a b]\n[]\n[-x]",
    );
    expect(await mydocker(["exec", name, "sh", "-c", "echo o; echo e >&2"])).toEqual({
      code: 0,
      stdout: "o\n",
      stderr: "e\n",
    });
  });

  test("what cannot be executed, and where it cannot be", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await fails(127, /"nosuch".*not found in \$PATH/, "exec", name, "nosuch");
    await fails(126, /permission denied/, "exec", name, "/etc/passwd");
    await fails(126, /no matching entries/, "exec", "-u", "nobodyhere", name, "true");
    await fails(126, /working folder/, "exec", "-w", "/no/such", name, "true");
    await fails(1, /No such container: nosuch/, "exec", "nosuch", "true");
    await ok("stop", "-t", "0", name);
    await fails(1, /is not running/, "exec", name, "true");
  });
});

/** The host's pid of a process by its pid in the namespace of `sibling`. */
function findByNsPid(sibling: number, inner: string): number {
  const tasks = readFileSync(`/proc/${sibling}/task/${sibling}/status`, "utf8");
  expect(tasks).toContain("NSpid");
  for (let pid = sibling; pid < sibling + 500; pid++)
    if (
      existsSync(`/proc/${pid}/status`) &&
      statusField(pid, "NSpid").split(/\s+/)[1] === inner &&
      namespaces(pid).pid === namespaces(sibling).pid
    )
      return pid;
  return 0;
}

describe("stop, start, restart, kill, rm", () => {
  const stubborn = ["busybox", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"];

  test("stop: SIGTERM ends what listens, SIGKILL after the grace what does not", async () => {
    const polite = await background(
      "busybox",
      "sh",
      "-c",
      "trap 'exit 5' TERM; while :; do sleep 0.05; done",
    );
    expect(await ok("stop", polite.name)).toBe(polite.name);
    expect(await ok("inspect", "-f", "{{.State.ExitCode}} {{.State.Running}}", polite.name)).toBe("5 false");
    expect(await ok("ps", "-a", "--filter", `name=${polite.name}`)).toMatch(/ stopped /);
    const deaf = await background(...stubborn);
    const before = Date.now();
    await ok("stop", "-t", "1", deaf.name);
    expect(Date.now() - before).toBeGreaterThan(900);
    expect(await ok("inspect", "-f", "{{.State.ExitCode}}", deaf.name)).toBe("137");
    expect(await ok("stop", deaf.name)).toBe(deaf.name);
  });

  test("start brings it back on its own upper layer, restart in one go", async () => {
    const { name, id } = await background("busybox", "sh", "-c", "echo run >>/runs; sleep 1000");
    await until(
      async () => (await mydocker(["exec", name, "cat", "/runs"])).stdout === "run\n",
      "the first run",
    );
    await ok("stop", "-t", "0", name);
    expect(await ok("start", name)).toBe(name);
    await until(
      async () => (await mydocker(["exec", name, "cat", "/runs"])).stdout === "run\nrun\n",
      "the second run",
    );
    await ok("restart", "-t", "0", id);
    await until(
      async () => (await mydocker(["exec", name, "cat", "/runs"])).stdout === "run\nrun\nrun\n",
      "the third run",
    );
    expect(await ok("start", name)).toBe(name);
  });

  test("start -a shows the output and has the exit code", async () => {
    const name = newName();
    await mydocker(["run", "--name", name, "busybox", "sh", "-c", "echo hi; exit 3"]);
    expect(await mydocker(["start", "-a", name])).toEqual({ code: 3, stdout: "hi\n", stderr: "" });
  });

  test("kill: by name and number; a bad one is refused", async () => {
    const { name } = await background(
      "busybox",
      "sh",
      "-c",
      "trap 'echo usr1' USR1; while :; do sleep 0.05; done",
    );
    await until(async () => {
      await ok("kill", "-s", "USR1", name);
      return (await mydocker(["logs", name])).stdout.includes("usr1");
    }, "the signal");
    await fails(125, /invalid signal: NOPE/, "kill", "-s", "NOPE", name);
    expect(await ok("kill", name)).toBe(name);
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    await fails(1, /is not running/, "kill", name);
  });

  test("rm: record, mounts, upper layer and cgroup, all gone; running ones only with -f, also behind the name", async () => {
    const { name, id } = await background("busybox", "sh", "-c", "mkdir -p /d/e; chmod 0 /d; sleep 1000");
    await fails(1, /it is running/, "rm", name);
    expect(mountsLeft().length).toBeGreaterThan(0);
    expect(await ok("rm", name, "-f")).toBe(name);
    expect([...mountsLeft(), ...cgroupsLeft()]).toEqual([]);
    for (const path of [
      `${ROOT}/containers/${id}`,
      `${ROOT}/overlay2/${id}`,
      `${RUN}/${name}`,
      `${ROOT}/names/${name}`,
    ])
      expect(existsSync(path)).toBe(false);
    await fails(1, /No such container/, "rm", name);
    expect((await mydocker(["rm", "-f", name])).code).toBe(0);
  });

  test("several at once: the others go on, and the exit code is 1", async () => {
    const [a, b] = [await background(...stubborn), await background(...stubborn)];
    const result = await mydocker(["stop", "-t", "0", a.name, "nosuch", b.name]);
    expect(result.code).toBe(1);
    expect(result.stdout.trim().split("\n").sort()).toEqual([a.name, b.name].sort());
    expect(result.stderr).toContain("No such container: nosuch");
  });

  test("ids by unique prefix; an ambiguous one is told", async () => {
    const ids: string[] = [];
    while (new Set(ids.map((id) => id[0])).size === ids.length)
      ids.push((await background("busybox", "sleep", "1000")).id);
    const [last = ""] = ids.slice(-1);
    await fails(1, /ambiguous id prefix/, "kill", last[0] ?? "");
    expect(await ok("inspect", "-f", "{{.Id}}", last.slice(0, 6))).toBe(last);
  });
});

describe("inspect, info, version, help", () => {
  test("inspect is Docker-shaped JSON; -f takes a template", async () => {
    const folder = scratch();
    const { name, id, pid } = await background(
      "-v",
      `${folder}:/data:ro`,
      "-m",
      "64m",
      "-l",
      "k=v",
      "busybox",
      "sleep",
      "1000",
    );
    const [one] = JSON.parse(await ok("inspect", name));
    expect(one).toMatchObject({
      Id: id,
      Name: `/${name}`,
      Path: "sleep",
      Args: ["1000"],
      State: { Status: "running", Running: true, Pid: pid },
      Config: { Image: "busybox", Labels: { k: "v" }, Hostname: id },
      HostConfig: { Memory: 64 << 20, Binds: [`${folder}:/data:ro`] },
      Mounts: [{ Type: "bind", Source: folder, Destination: "/data", RW: false }],
    });
    const driver = JSON.parse(await ok("inspect", "-f", "{{json .GraphDriver}}", name));
    expect(readFileSync(`${driver.Data.MergedDir}/etc/passwd`, "utf8")).toContain("root");
    expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8")).toContain(
      `lowerdir=${driver.Data.LowerDir},upperdir=${driver.Data.UpperDir}`,
    );
    expect((await mydocker(["inspect", "-f", "{{.Nope}}", name])).code).toBe(64);
    const missing = await mydocker(["inspect", "nosuch"]);
    expect([missing.code, missing.stdout]).toEqual([1, "[]\n"]);
  });

  test("every command has --help; unknown ones are told with what was meant", async () => {
    const names = (await ok("help")).split("\n").flatMap((line) => /^ +([a-z]+) {4}/.exec(line)?.[1] ?? []);
    expect(names).toEqual(
      expect.arrayContaining(["run", "ps", "logs", "exec", "stop", "rm", "commit", "images", "rmi", "info"]),
    );
    for (const name of names) expect(await ok(name, "--help")).toContain(`Usage:  mydocker ${name}`);
    await fails(1, /unknown command: rnu: did you mean 'mydocker run'/, "rnu");
    await fails(1, /accepts no arguments|requires/, "ps", "x");
    expect(await ok("version")).toMatch(/^mydocker version [0-9]+\.[0-9]+\.[0-9]+/);
    for (const flag of ["--version", "-v"]) expect(await ok(flag)).toBe(await ok("version"));
    for (const flag of ["--help", "-h"]) expect(await ok(flag)).toBe(await ok("help"));
    expect(await ok("info")).toContain("Cgroup Version");
  });

  test("an ordinary user is told that root is needed, before anything else", async () => {
    const child = Bun.spawn(
      [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        process.env.MYDOCKER ?? "dist/mydocker",
        "run",
        "nosuch",
      ],
      {
        cwd: new URL("../..", import.meta.url).pathname,
        stderr: "pipe",
      },
    );
    expect(await new Response(child.stderr).text()).toMatch(/^mydocker: must be run as root.*\n$/);
    expect(await child.exited).toBe(125);
  });
});

test("a client that waits is no JavaScript that polls: it uses no CPU", async () => {
  const child = start(["run", "--rm", "busybox", "sh", "-c", "echo up; exec sleep 1000"]);
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("up\n");
  const ticks = (): number => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  // what it still does behind the start is over when a whole second passes with next to nothing
  await until(
    async () => {
      const before = ticks();
      await Bun.sleep(1000);
      return ticks() - before <= 2;
    },
    "the client to use no CPU",
    10,
  );
  child.kill("SIGKILL");
  await child.exited;
});
