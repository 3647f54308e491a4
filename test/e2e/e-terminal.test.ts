import { describe, expect, test } from "bun:test";
import { background, newName, ok, Session, suite, until } from "./harness.ts";

suite();

describe("run -it", () => {
  test("a real terminal: its size, and the program's exit code", async () => {
    const session = new Session(["run", "--rm", "-it", "busybox", "sh"], { cols: 91, rows: 33 });
    await session.see(/\/ # /);
    session.type("tty; stty size; echo $TERM; ls -l /dev/console\r");
    await session.see(/\/dev\/pts\/0\r\n33 91\r\nxterm\r\n.*\/dev\/console/);
    session.type("exit 9\r");
    expect(await session.end()).toBe(9);
  });

  test("the window's size is followed", async () => {
    const session = new Session([
      "run",
      "--rm",
      "-ti",
      "busybox",
      "sh",
      "-c",
      "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done",
    ]);
    await session.see(/ready/);
    session.resize(101, 44);
    await session.see(/44 101/);
    session.type("\u0003");
    expect(await session.end()).toBe(130);
  });

  test("Ctrl-C reaches the program, not the client", async () => {
    const session = new Session([
      "run",
      "--rm",
      "-it",
      "busybox",
      "sh",
      "-c",
      "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    await session.see(/ready/);
    session.type("\u0003");
    await session.see(/caught/);
    expect(await session.end()).toBe(4);
  });

  test("Ctrl-P Ctrl-Q leaves it running; a lone Ctrl-P is the program's", async () => {
    const name = newName();
    const session = new Session([
      "run",
      "-it",
      "--name",
      name,
      "busybox",
      "sh",
      "-c",
      "stty -echo raw; echo ready; dd bs=1 count=2 2>/dev/null | od -An -tx1; sleep 1000",
    ]);
    await session.see(/ready/);
    session.type("\u0010x");
    await session.see(/10 78/);
    session.type("\u0010\u0011");
    expect(await session.end()).toBe(0);
    expect(await ok("ps", "--format", "{{.Names}} {{.State}}")).toBe(`${name} running`);
    expect(await ok("logs", name)).toContain("ready");
  });

  test("the terminal is put back as it was", async () => {
    const session = new Session(["run", "--rm", "-it", "busybox", "true"]);
    const before = session.child.terminal?.localFlags;
    expect(await session.end()).toBe(0);
    expect(session.child.terminal?.localFlags).toBe(before as number);
  });
});

describe("exec -it", () => {
  test("a terminal of the container's own devpts", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const session = new Session(["exec", "-it", name, "sh"], { cols: 70, rows: 20 });
    await session.see(/\/ # /);
    session.type("tty; stty size; echo $TERM; ls /dev/pts\r");
    await session.see(/\/dev\/pts\/0\r\n20 70\r\nxterm\r\n0 +ptmx/);
    session.resize(111, 22);
    await until(() => {
      session.type("stty size\r");
      return /22 111/.test(session.output);
    }, "the new size");
    session.type("exit 6\r");
    expect(await session.end()).toBe(6);
  });

  test("-i without -t: a pipe, whatever the client's stdin is", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const session = new Session(["exec", name, "sh", "-c", "test -t 0 || test -t 1 || echo no terminal"]);
    await session.see(/no terminal/);
    expect(await session.end()).toBe(0);
  });
});
