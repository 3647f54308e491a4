/** What happens to a container that wants more memory than it has. */
import { describe, expect, test } from "bun:test";
import {
  background,
  CGROUP2,
  fails,
  groupFile,
  mydocker,
  newName,
  ok,
  statusField,
  suite,
  testWhere,
  until,
} from "./harness.ts";

suite();

/** `tail` keeps all of a file that has no line's end. */
const GREEDY = "tail /dev/zero";
const END = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}";

describe("out of memory", () => {
  test("pid 1: exit code 137, told to the client and by inspect", async () => {
    const name = newName();
    const { code, stderr } = await mydocker([
      "run",
      "--name",
      name,
      "-m",
      "8m",
      "busybox",
      ...GREEDY.split(" "),
    ]);
    expect(code).toBe(137);
    expect(stderr).toBe(
      `mydocker: a process of container ${name} was killed, out of memory: its limit is 8388608 bytes (-m)\n`,
    );
    expect(await ok("inspect", "-f", END, name)).toBe("exited 137 true");
    const detached = await background("-m", "8m", "busybox", ...GREEDY.split(" "));
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    expect(await ok("inspect", "-f", END, detached.name)).toBe("exited 137 true");
  });

  test("with --rm too; nothing is left", async () => {
    const { code, stderr } = await mydocker(["run", "--rm", "-m", "8m", "busybox", ...GREEDY.split(" ")]);
    expect(code).toBe(137);
    expect(stderr).toContain("out of memory");
  });

  test("a child: seen while its parent goes on, and afterwards; a new run begins anew", async () => {
    const script = `if [ -e /again ]; then exec sleep 1000; fi; touch /again; ${GREEDY}; echo child $?; sleep 1000`;
    const { name } = await background("-m", "8m", "busybox", "sh", "-c", script);
    await until(async () => (await ok("logs", name)).includes("child 137"), "the child's end");
    expect(await ok("inspect", "-f", END, name)).toBe("running 0 true");
    await ok("stop", "-t", "0", name);
    expect(await ok("inspect", "-f", END, name)).toBe("exited 137 true");
    await ok("start", name);
    expect(await ok("inspect", "-f", END, name)).toBe("running 0 false");
  });

  test("a child, in a container that ends by itself with success: nothing to tell, but inspect knows", async () => {
    const name = newName();
    const script = `${GREEDY} 2>/dev/null; exit 0`;
    const { code } = await mydocker(["run", "--name", name, "-m", "8m", "busybox", "sh", "-c", script]);
    expect(code).toBe(0);
    expect(await ok("inspect", "-f", END, name)).toBe("exited 0 true");
  });

  test("a program that was killed by somebody is not one of them", async () => {
    const { name } = await background("-m", "8m", "busybox", "sleep", "1000");
    await ok("kill", name);
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    expect(await ok("inspect", "-f", END, name)).toBe("exited 137 false");
  });

  testWhere(CGROUP2, "cgroup v1 has no such setting", "--oom-group: all of it, with pid 1", async () => {
    const script = `${GREEDY}; echo child $?; sleep 1000`;
    const { name } = await background("-m", "8m", "--oom-group", "busybox", "sh", "-c", script);
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    expect(await ok("inspect", "-f", END, name)).toBe("exited 137 true");
    expect(await ok("logs", name)).toBe("");
  });

  testWhere(!CGROUP2, "cgroup v2 has it", "--oom-group is refused on v1, and nothing is left", async () => {
    await fails(125, /--oom-group: cgroup v1/, "run", "--oom-group", "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  testWhere(
    !CGROUP2,
    "cgroup v2 has no such setting",
    "--oom-kill-disable: it waits, and can be removed",
    async () => {
      const { name, id, pid } = await background(
        "-m",
        "8m",
        "--oom-kill-disable",
        "busybox",
        "sh",
        "-c",
        // written by the program itself: what a system call is to write there fails instead of waiting
        "x=a; while :; do x=$x$x; done",
      );
      const control = (): string => groupFile(id, "memory", "memory.oom_control", "");
      await until(() => control().includes("under_oom 1"), "it to want more than it has");
      await Bun.sleep(300);
      expect(control()).toContain("oom_kill 0");
      expect(statusField(pid, "State")).toMatch(/^D|^S/);
      expect(await ok("inspect", "-f", END, name)).toBe("running 0 false");
      await ok("rm", "-f", name);
    },
  );
});
