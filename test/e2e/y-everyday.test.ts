import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { background, fails, mydocker, newName, ok, scratch, start, suite, until } from "./harness.ts";

suite();

describe("wait", () => {
  test("until it ends, with its exit code, however it ends", async () => {
    const { name } = await background("busybox", "sh", "-c", "sleep 0.3; exit 7");
    expect(await ok("wait", name)).toBe("7");
    // once more: it has ended
    expect(await ok("wait", name)).toBe("7");
    const other = await background("busybox", "sleep", "1000");
    const waiting = start(["wait", name, other.name]);
    await ok("kill", other.name);
    expect(await new Response(waiting.stdout).text()).toBe("7\n137\n");
    expect(await waiting.exited).toBe(0);
  });

  test("of one that is just ending: its program is dead, and how is not written down yet", async () => {
    for (let round = 0; round < 10; round++) {
      const { name } = await background("busybox", "sleep", "1000");
      const [killed, code] = await Promise.all([ok("kill", name), ok("wait", name)]);
      expect([killed, code, await ok("wait", name)]).toEqual([name, "137", "137"]);
      await ok("rm", name);
    }
  });

  test("of one that goes with its program, and one that was never started", async () => {
    const name = newName();
    await ok("run", "-d", "--rm", "--name", name, "busybox", "sh", "-c", "sleep 0.3; exit 5");
    expect(await ok("wait", name)).toBe("5");
    const created = newName();
    await ok("create", "--name", created, "busybox", "true");
    expect(await ok("wait", created)).toBe("0");
  });

  test("the others are waited for where one is not there", async () => {
    const { name } = await background("busybox", "true");
    const result = await mydocker(["wait", "nobody-here", name]);
    expect(result).toMatchObject({
      code: 1,
      stdout: "0\n",
      stderr: expect.stringContaining("No such container"),
    });
  });

  test("costs nothing meanwhile", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const waiting = start(["wait", name]);
    const ticks = async (): Promise<number> => {
      const fields = (await Bun.file(`/proc/${waiting.pid}/stat`).text()).split(" ");
      return Number(fields[13]) + Number(fields[14]);
    };
    await until(async () => (await ticks()) > 0, "its start");
    await Bun.sleep(700);
    const before = await ticks();
    await Bun.sleep(700);
    expect((await ticks()) - before).toBeLessThanOrEqual(2);
    await ok("kill", name);
    expect(await waiting.exited).toBe(0);
  });
});

describe("diff", () => {
  test("what was added, changed and deleted, in order; nothing of the engine's own", async () => {
    const script =
      "echo x >>/etc/passwd; rm /etc/group; mkdir -p /new/inner; touch /new/file; rm -r /root; mkdir /root; ln -s / /tmp/link";
    const name = newName();
    await ok("run", "--name", name, "busybox", "sh", "-c", script);
    expect((await ok("diff", name)).split("\n")).toEqual([
      "C /etc",
      "D /etc/group",
      "C /etc/passwd",
      "A /new",
      "A /new/file",
      "A /new/inner",
      "C /root",
      "C /tmp",
      "A /tmp/link",
    ]);
  });

  test("of one that changed nothing, and one that runs", async () => {
    const { name } = await background("busybox", "sh", "-c", "touch /here; sleep 1000");
    await until(async () => (await ok("diff", name)) === "A /here", "its file");
    const idle = newName();
    await ok("create", "--name", idle, "busybox", "true");
    expect(await ok("diff", idle)).toBe("");
    await fails(1, /No such container/, "diff", "nobody-here");
  });

  test("over several layers, with what each of them has deleted", async () => {
    const first = newName();
    await ok("run", "--name", first, "busybox", "sh", "-c", "mkdir /d; touch /d/one /d/two");
    await ok("commit", first, "diff-one");
    const second = newName();
    await ok("run", "--name", second, "diff-one", "rm", "/d/one");
    expect(await ok("diff", second)).toBe("C /d\nD /d/one");
    await ok("commit", second, "diff-two");
    const third = newName();
    await ok("run", "--name", third, "diff-two", "sh", "-c", "touch /d/one; echo x >/d/two");
    // what a layer above has deleted is new again
    expect((await ok("diff", third)).split("\n").filter((line) => line.includes("/d"))).toEqual([
      "C /d",
      "A /d/one",
      "C /d/two",
    ]);
    await ok("rm", "-f", first, second, third);
    await ok("rmi", "diff-two", "diff-one");
  });
});

describe("--label-file", () => {
  test("a label a line; -l stands above it", async () => {
    const file = `${scratch()}/labels`;
    writeFileSync(file, "# who\none=1\ntwo=a b\nbare\nthree=file\n");
    const name = newName();
    await ok("create", "--name", name, "--label-file", file, "-l", "three=flag", "busybox", "true");
    expect(JSON.parse(await ok("inspect", "-f", "{{json .Config.Labels}}", name))).toEqual({
      one: "1",
      two: "a b",
      bare: "",
      three: "flag",
    });
    await fails(
      125,
      /cannot read --label-file \/nowhere/,
      "create",
      "--label-file",
      "/nowhere",
      "busybox",
      "true",
    );
  });
});

describe("container prune", () => {
  test("those that do not run, and that the filter means; --dry-run removes none", async () => {
    const running = await background("busybox", "sleep", "1000");
    const ended = newName();
    await ok(
      "run",
      "--name",
      ended,
      "--label",
      "keep=no",
      "busybox",
      "dd",
      "if=/dev/zero",
      "of=/f",
      "bs=1k",
      "count=100",
    );
    const created = newName();
    await ok("create", "--name", created, "busybox", "true");
    const id = async (name: string): Promise<string> => ok("inspect", "-f", "{{.Id}}", name);
    const [first, second] = [await id(ended), await id(created)];
    const would = await ok("container", "prune", "--dry-run");
    expect(would).toContain("Would be deleted Containers:\n");
    expect((await ok("ps", "-aq")).split("\n")).toHaveLength(3);
    const only = await ok("container", "prune", "-f", "--filter", "label=keep");
    expect(only).toMatch(new RegExp(`^Deleted Containers:\n${first}\n\nTotal reclaimed space: 102.4kB$`));
    expect(await ok("container", "prune", "-f")).toBe(
      `Deleted Containers:\n${second}\n\nTotal reclaimed space: 0B`,
    );
    expect(await ok("container", "prune", "-f")).toBe("Total reclaimed space: 0B");
    expect(await ok("ps", "-aq")).toBe(running.id);
    await fails(125, /invalid filter 'name'/, "container", "prune", "--filter", "name=x");
  });

  test("asks, and without an answer does nothing", async () => {
    await ok("create", "busybox", "true");
    const asked = await mydocker(["container", "prune"], { stdin: "n\n" });
    expect(asked).toMatchObject({ code: 0, stdout: "WARNING! This will remove all stopped containers.\n" });
    expect((await ok("ps", "-aq")).split("\n")).toHaveLength(1);
    expect((await mydocker(["container", "prune"], { stdin: "y\n" })).stdout).toContain(
      "Deleted Containers:\n",
    );
    expect(await ok("ps", "-aq")).toBe("");
  });
});
