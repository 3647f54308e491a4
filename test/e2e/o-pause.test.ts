/** pause and unpause: the processes of a container stand still, and go on. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import {
  background,
  CGROUP2,
  cgroupFolder,
  fails,
  mydocker,
  newName,
  ok,
  ROOT,
  RUN,
  suite,
  until,
} from "./harness.ts";

suite();

/** How many ticks of CPU a process has used (proc(5), stat: utime). */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]);
}

const BUSY = ["busybox", "sh", "-c", "while :; do :; done"];

describe("pause", () => {
  test("stops every process where it is; unpause lets them go on", async () => {
    const { name, id, pid } = await background(...BUSY);
    expect(await ok("pause", name)).toBe(name);
    const before = ticks(pid);
    await Bun.sleep(200);
    expect(ticks(pid)).toBe(before);
    expect(await ok("ps", "--format", "{{.State}} {{.Status}}")).toMatch(/^paused Up .* \(Paused\)$/);
    expect(await ok("ps", "-q", "--filter", "status=paused")).toBe(id);
    expect(await ok("ps", "-q", "--filter", "status=running")).toBe("");
    expect(await ok("ps")).toMatch(/ paused /);
    const shown = "{{.State.Status}} {{.State.Paused}} {{.State.Running}} {{.State.Pid}}";
    expect(await ok("inspect", "-f", shown, name)).toBe(`paused true true ${pid}`);
    const counts = "{{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}";
    expect(await ok("info", "--format", counts)).toBe("0 1 0");
    expect(await ok("top", name)).toContain("while :");
    expect(await ok("unpause", name)).toBe(name);
    await until(() => ticks(pid) > before, "it to go on");
    expect(await ok("inspect", "-f", shown, name)).toBe(`running false true ${pid}`);
  });

  test("what cannot be done with one that is paused, and twice", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await fails(1, /container [^ ]+ is not paused/, "unpause", name);
    await ok("pause", name);
    await fails(1, /container [^ ]+ is already paused/, "pause", name);
    await fails(1, /container [^ ]+ is paused: unpause the container before exec/, "exec", name, "true");
    await fails(1, /it is paused/, "start", name);
    await fails(1, /it is paused/, "rm", name);
    await ok("unpause", name);
    expect(await ok("exec", name, "echo", "in")).toBe("in");
    await ok("stop", "-t", "0", name);
    await fails(1, /container [^ ]+ is not running/, "pause", name);
    await fails(1, /container [^ ]+ is not running/, "unpause", name);
    await fails(1, /No such container: nobody/, "pause", "nobody");
  });

  test("stop, restart, kill and rm -f reach one that is paused", async () => {
    const script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done";
    const { name } = await background("busybox", "sh", "-c", script);
    await until(async () => (await ok("logs", name)) === "up", "the trap");
    await ok("pause", name);
    await ok("stop", name);
    expect(await ok("logs", name)).toBe("up\nbye");
    expect(await ok("inspect", "-f", "{{.State.ExitCode}} {{.State.Paused}}", name)).toBe("3 false");
    await ok("start", name);
    await ok("pause", name);
    await ok("restart", "-t", "0", name);
    expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("running");
    await ok("pause", name);
    await ok("kill", name);
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    await ok("start", name);
    await ok("pause", name);
    await ok("rm", "-f", name);
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("a client that is attached to it stays, and gets the rest", async () => {
    const name = newName();
    const client = mydocker(["run", "--rm", "--name", name, "busybox", "sh", "-c", "sleep 1; echo rest"]);
    await until(async () => (await ok("ps", "-q")) !== "", "the container");
    await ok("pause", name);
    let ended = false;
    client.then(() => {
      ended = true;
    });
    await Bun.sleep(1300);
    expect(ended).toBe(false);
    await ok("unpause", name);
    expect(await client).toMatchObject({ code: 0, stdout: "rest\n" });
  });

  test("one that ends as soon as it goes on, and is gone with its program", async () => {
    for (let i = 0; i < 3; i++) {
      const name = newName();
      await ok("run", "-d", "--rm", "--name", name, "busybox", "sleep", "0.4");
      await ok("pause", name);
      await Bun.sleep(600);
      expect(await ok("unpause", name)).toBe(name);
      await until(async () => (await ok("ps", "-aq")) === "", "it to go");
    }
  });

  test("many at once: one of them does it, and the others say so", async () => {
    const { name } = await background(...BUSY);
    for (const verb of ["pause", "unpause"]) {
      const tries = await Promise.all(Array.from({ length: 6 }, () => mydocker([verb, name])));
      expect(tries.filter(({ code }) => code === 0)).toHaveLength(1);
    }
    expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("running");
  });

  test("one whose state in /run was lost is paused, shown and resumed all the same", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    rmSync(`${RUN}/${name}`, { recursive: true });
    await ok("pause", name);
    expect(await ok("ps", "--format", "{{.State}}")).toBe("paused");
    await ok("unpause", name);
    expect(await ok("exec", name, "echo", "in")).toBe("in");
  });

  test("one that was frozen by somebody else, or by a pause that was killed: inspect tells, exec does not hang", async () => {
    const { name, id } = await background("busybox", "sleep", "1000");
    const freezers: [string, string][] = CGROUP2
      ? [[`${cgroupFolder(id, "")}/cgroup.freeze`, "1"]]
      : [
          [`/sys/fs/cgroup/unified/mydocker/${id}/cgroup.freeze`, "1"],
          [`${cgroupFolder(id, "freezer")}/freezer.state`, "FROZEN"],
        ];
    for (const [file, word] of freezers) {
      writeFileSync(file, word);
      await until(
        async () => (await ok("inspect", "-f", "{{.State.Status}}", name)) === "paused",
        "it to be frozen",
      );
      await fails(1, /is paused: unpause the container before exec/, "exec", name, "true");
      await ok("unpause", name);
      expect(await ok("exec", name, "echo", "in")).toBe("in");
    }
  });

  test("what a change that was killed half-way has left is put right by who looks", async () => {
    const { name, id } = await background("--pids-limit", "50", "busybox", "sleep", "1000");
    const pids = `${cgroupFolder(id, "pids")}/pids.max`;
    writeFileSync(pids, "33");
    writeFileSync(
      CGROUP2
        ? `${cgroupFolder(id, "")}/cgroup.freeze`
        : `/sys/fs/cgroup/unified/mydocker/${id}/cgroup.freeze`,
      "1",
    );
    writeFileSync(`${ROOT}/containers/${id}/changing`, "begun\n");
    expect(await ok("inspect", "-f", "{{.HostConfig.PidsLimit}} {{.State.Status}}", name)).toBe("50 paused");
    expect(readFileSync(pids, "utf8")).toBe("50\n");
    expect(await ok("ps", "--format", "{{.State}}")).toBe("paused");
    await ok("unpause", name);
  });
});
