import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { background, fails, mydocker, newName, ok, quietly, statusField, suite, until } from "./harness.ts";

suite();

const of = (pid: number | "self", type: string): string => readlinkSync(`/proc/${pid}/ns/${type}`);
const run = (...args: string[]): Promise<string> => ok("run", "--rm", "--network", "none", ...args);

/** Processes of the host that run this. */
const running = (command: string): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .filter((pid) =>
      quietly(
        () => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim() === command,
        false,
      ),
    );

describe("pid namespaces", () => {
  test("the host's: it sees the host's processes, and nothing of it stays", async () => {
    const { name, pid } = await background("--pid", "host", "busybox", "sh", "-c", "sleep 7411 & sleep 1000");
    expect(of(pid, "pid")).toBe(of("self", "pid"));
    await until(() => running("sleep 7411").length === 1, "its child");
    expect(await ok("exec", name, "sh", "-c", `readlink /proc/${pid}/ns/pid`)).toBe(of("self", "pid"));
    await ok("kill", name);
    await until(() => running("sleep 7411").length === 0, "its end");
    expect(await ok("inspect", "-f", "{{.State.ExitCode}} {{.HostConfig.PidMode}}", name)).toBe("137 host");
  });

  test("another container's: it sees that one's, ends alone, and takes only its own along", async () => {
    const first = await background("busybox", "sleep", "7412");
    const { name, pid } = await background(
      "--pid",
      `container:${first.name}`,
      "busybox",
      "sh",
      "-c",
      "sleep 7413 & sleep 1000",
    );
    expect(of(pid, "pid")).toBe(of(first.pid, "pid"));
    expect(of(pid, "mnt")).not.toBe(of(first.pid, "mnt"));
    expect(await ok("exec", name, "ps", "-o", "args")).toContain("sleep 7412");
    await until(() => running("sleep 7413").length === 1, "its child");
    await ok("stop", "-t", "0", name);
    await until(() => running("sleep 7413").length === 0, "the end of its child");
    expect(running("sleep 7412")).toHaveLength(1);
    // once more, and it goes with the one whose namespace it is
    await ok("start", name);
    await ok("kill", first.name);
    await until(async () => (await ok("ps", "-q")) === "", "both ends");
    await fails(1, /cannot join PID of a non running container/, "start", name);
  });
});

describe("IPC namespaces", () => {
  test("its own by default", async () => {
    const { pid } = await background("busybox", "sleep", "1000");
    expect(of(pid, "ipc")).not.toBe(of("self", "ipc"));
  });

  test("another's that is shareable: with its /dev/shm, from both sides", async () => {
    const { name, pid } = await background(
      "--ipc",
      "shareable",
      "--shm-size",
      "3m",
      "busybox",
      "sleep",
      "1000",
    );
    const script = "readlink /proc/self/ns/ipc; echo here >/dev/shm/file; grep ' /dev/shm ' /proc/mounts";
    const [namespace, mount] = (await run("--ipc", `container:${name}`, "busybox", "sh", "-c", script)).split(
      "\n",
    );
    expect(namespace).toBe(of(pid, "ipc"));
    expect(mount).toMatch(/^tmpfs \/dev\/shm tmpfs rw,nosuid,nodev,noexec,.*size=3072k/);
    expect(await ok("exec", name, "cat", "/dev/shm/file")).toBe("here");
  });

  test("another's that is not; one that does not run", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const join = ["run", "--ipc", `container:${name}`, "busybox", "true"];
    await fails(125, /non-shareable IPC/, ...join);
    await ok("kill", name);
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    await fails(125, /cannot join IPC of a non running container/, ...join);
    expect((await ok("ps", "-aq")).split("\n")).toHaveLength(1);
  });

  test("the host's, and none", async () => {
    expect(await run("--ipc", "host", "busybox", "readlink", "/proc/self/ns/ipc")).toBe(of("self", "ipc"));
    expect(await run("--ipc", "none", "busybox", "sh", "-c", "test -e /dev/shm || echo none")).toBe("none");
  });
});

describe("other namespaces", () => {
  test("the host's name", async () => {
    const hostname = readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
    const { name, pid } = await background("--uts", "host", "busybox", "sleep", "1000");
    expect(of(pid, "uts")).toBe(of("self", "uts"));
    expect(await ok("exec", name, "hostname")).toBe(hostname);
    await ok("restart", "-t", "0", name);
    expect(readFileSync("/proc/sys/kernel/hostname", "utf8").trim()).toBe(hostname);
    await fails(125, /hostname and the UTS mode/, "run", "--uts", "host", "-h", "x", "busybox", "true");
  });

  test("the cgroups as the host sees them, and still no others", async () => {
    const { name, id, pid } = await background("--cgroupns", "host", "busybox", "sleep", "1000");
    expect(of(pid, "cgroup")).toBe(of("self", "cgroup"));
    expect(await ok("exec", name, "cat", "/proc/self/cgroup")).toContain(id);
    const write =
      "for d in /sys/fs/cgroup/pids /sys/fs/cgroup; do test -e $d/cgroup.procs && break; done; mkdir $d/x";
    expect((await mydocker(["exec", name, "sh", "-c", write])).stderr).toContain("Read-only file system");
  });

  test.each([
    [["--pid", "container"], /invalid PID mode 'container'/],
    [["--pid", "private"], /invalid PID mode/],
    [["--ipc", "container:"], /invalid IPC mode/],
    [["--uts", "private"], /invalid UTS mode/],
    [["--cgroupns", "x"], /invalid CGROUP mode/],
    [["--userns", "keep-id"], /invalid USER mode/],
    [["--pid", "container:nobody-here"], /No such container: nobody-here/],
  ])("%j is refused", async (flags, words) => {
    await fails(125, words, "run", ...flags, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });
});

describe("--sysctl", () => {
  test("of its namespaces, and of no other", async () => {
    const before = readFileSync("/proc/sys/kernel/msgmax", "utf8");
    const flags = ["--sysctl", "net.core.somaxconn=77", "--sysctl", "kernel.msgmax=4096"];
    const read = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax";
    expect(await run(...flags, "busybox", "sh", "-c", read)).toBe("77\n4096");
    expect(readFileSync("/proc/sys/kernel/msgmax", "utf8")).toBe(before);
    expect(
      await run(
        "--sysctl",
        "net/ipv4/conf/lo/rp_filter=1",
        "busybox",
        "cat",
        "/proc/sys/net/ipv4/conf/lo/rp_filter",
      ),
    ).toBe("1");
  });

  test("is there again after a restart, and shown", async () => {
    const { name } = await background("--sysctl", "kernel.shm_rmid_forced=1", "busybox", "sleep", "1000");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "cat", "/proc/sys/kernel/shm_rmid_forced")).toBe("1");
    expect(await ok("inspect", "-f", "{{json .HostConfig.Sysctls}}", name)).toBe(
      '{"kernel.shm_rmid_forced":"1"}',
    );
  });

  test.each([
    [["kernel.core_pattern=|/x"], /not in a separate kernel namespace/],
    [["vm.swappiness=1"], /not in a separate kernel namespace/],
    [["net.core"], /it is NAME=VALUE/],
    [["net./../x=1"], /is no name of one/],
    [["net/../kernel/core_pattern=x"], /is no name of one/],
    [["net.nosuch=1"], /this kernel has none of that name/],
    [["net.core.somaxconn=many"], /invalid argument/],
  ])("%j is refused", async ([value = ""], words) => {
    await fails(125, words, "run", "--sysctl", value, "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("needs a namespace of its own", async () => {
    const network = ["run", "--network", "host", "--sysctl", "net.core.somaxconn=1", "busybox", "true"];
    await fails(125, /not allowed in the host's network namespace/, ...network);
    const ipc = ["run", "--ipc", "host", "--sysctl", "kernel.msgmax=1", "busybox", "true"];
    await fails(125, /not allowed in the host's IPC namespace/, ...ipc);
  });
});

describe("--init", () => {
  test("reaps, hands signals on, and ends with the program's code", async () => {
    const script = 'trap "exit 21" TERM; (sleep 0 &); while :; do sleep 0.05; done';
    const { name, pid } = await background("--init", "busybox", "sh", "-c", script);
    expect(statusField(pid, "Name")).toBe("mydocker:init");
    // it is confined like the program, and holds nothing
    expect(statusField(pid, "Seccomp")).toBe("2");
    expect(statusField(pid, "CapEff")).toBe("00000000a80425fb");
    expect(readdirSync(`/proc/${pid}/fd`)).toEqual([]);
    const zombies = async (): Promise<boolean> => (await ok("exec", name, "ps", "-o", "stat")).includes("Z");
    await until(async () => !(await zombies()), "no zombies");
    await ok("stop", name);
    expect(await ok("inspect", "-f", "{{.State.ExitCode}} {{.HostConfig.Init}}", name)).toBe("21 true");
  });

  test("its exit codes are the program's", async () => {
    const code = async (...args: string[]): Promise<number> =>
      (await mydocker(["run", "--rm", "--init", "--network", "none", ...args])).code;
    expect(await code("busybox", "sh", "-c", "exit 9")).toBe(9);
    expect(await code("busybox", "sh", "-c", "kill -9 $$")).toBe(137);
    expect(await code("busybox", "nosuch")).toBe(127);
    expect(await code("busybox", "/etc/passwd")).toBe(126);
  });

  test("what the program leaves behind ends with it", async () => {
    await run("--init", "busybox", "sh", "-c", "sleep 7414 & exit 0");
    await until(() => running("sleep 7414").length === 0, "its end");
  });
});

describe("how it is stopped", () => {
  test("--stop-signal and --stop-timeout", async () => {
    const name = newName();
    const script = 'trap "exit 33" USR1; trap "" TERM; while :; do sleep 0.05; done';
    await ok("run", "-d", "--name", name, "--stop-signal", "SIGUSR1", "busybox", "sh", "-c", script);
    await until(
      async () =>
        (await ok("exec", name, "grep", "SigCgt", "/proc/1/status")) !== "SigCgt:\t0000000000000000",
      "its trap",
    );
    await ok("stop", name);
    expect(await ok("inspect", "-f", "{{.State.ExitCode}} {{.Config.StopSignal}}", name)).toBe("33 SIGUSR1");
    const { name: deaf } = await background(
      "--stop-timeout",
      "0",
      "busybox",
      "sh",
      "-c",
      "trap '' TERM; sleep 1000",
    );
    const before = performance.now();
    await ok("stop", deaf);
    expect(performance.now() - before).toBeLessThan(8000);
    expect(await ok("inspect", "-f", "{{.State.ExitCode}} {{.Config.StopTimeout}}", deaf)).toBe("137 0");
    await fails(125, /invalid signal: NOSUCH/, "run", "--stop-signal", "NOSUCH", "busybox", "true");
  });
});
