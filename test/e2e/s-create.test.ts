/** create: a container that is to be started later. */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import {
  fails,
  foldersLeft,
  mountsLeft,
  mydocker,
  newName,
  ok,
  ROOT,
  Session,
  scratch,
  suite,
  until,
} from "./harness.ts";

suite();

describe("create", () => {
  test("makes a container that start runs; until then it is created, and nothing of it is mounted", async () => {
    const name = newName();
    const id = await ok("create", "--name", name, "-e", "A=1", "busybox", "sh", "-c", "echo hi $A");
    expect(id).toMatch(/^[0-9]{10}$/);
    expect(mountsLeft()).toEqual([]);
    const shown = "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.State.StartedAt}}";
    expect(await ok("inspect", "-f", shown, name)).toBe("created 0 false 0001-01-01T00:00:00Z");
    expect(await ok("ps", "-q")).toBe("");
    expect(await ok("ps", "-a")).toMatch(new RegExp(`${id} .* created `));
    expect(await ok("ps", "-a", "--filter", "status=created", "--format", "{{.Status}}")).toBe("Created");
    expect(await ok("logs", name)).toBe("");
    expect(await ok("stop", name)).toBe(name);
    await fails(1, /is not running/, "kill", name);
    await fails(1, /is not running/, "exec", name, "true");
    expect(await ok("start", "-a", name)).toBe("hi 1");
    expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("exited");
    expect(await ok("start", "-a", name)).toBe("hi 1");
  });

  test("has the flags of run: limits, labels, volumes, user", async () => {
    const name = newName();
    await ok("create", "--name", name, "-m", "64m", "-u", "nobody", "-l", "a=b", "busybox", "id", "-un");
    expect(await ok("inspect", "-f", "{{.HostConfig.Memory}} {{json .Config.Labels}}", name)).toBe(
      `${64 << 20} {"a":"b"}`,
    );
    expect(await ok("start", "-a", name)).toBe("nobody");
    await fails(125, /unknown shorthand flag: 'd'/, "create", "-d", "busybox");
  });

  test("-i and -t: start -ai passes stdin on", async () => {
    const name = newName();
    await ok("create", "-i", "--name", name, "busybox", "cat");
    const { code, stdout } = await mydocker(["start", "-ai", name], { stdin: "to cat" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "to cat" });
    const other = newName();
    await ok("create", "-it", "--name", other, "busybox", "sh");
    await fails(1, /the input device is not a TTY/, "start", "-ai", other);
    expect(await ok("inspect", "-f", "{{.State.Status}}", other)).toBe("created");
    const session = new Session(["start", "-ai", other]);
    await session.see(/# /);
    session.type("tty; exit 4\n");
    await session.see(/\/dev\/pts\//);
    expect(await session.end()).toBe(4);
  });

  test("one that cannot be made leaves nothing, and its name is free", async () => {
    const name = newName();
    await fails(
      125,
      /no matching entries in passwd file/,
      "create",
      "--name",
      name,
      "-u",
      "no-such",
      "busybox",
    );
    await fails(125, /Unable to find image/, "create", "--name", name, "no-such-image");
    await fails(125, /is already in use/, "create", "--name", await created(), "busybox", "true");
    expect(foldersLeft().filter((one) => one.includes(name))).toEqual([]);
    await ok("create", "--name", name, "busybox", "true");
  });

  async function created(): Promise<string> {
    const name = newName();
    await ok("create", "--name", name, "busybox", "true");
    return name;
  }

  test("a program that is not there is the start's failure; the container stays as it was", async () => {
    const name = newName();
    await ok("create", "--name", name, "busybox", "no-such-program");
    await fails(1, /executable file not found in \$PATH/, "start", name);
    expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("created");
    await fails(127, /executable file not found in \$PATH/, "start", "-a", name);
    const reason = (): Promise<string> => ok("inspect", "-f", "{{.State.Error}}", name);
    expect(await reason()).toMatch(/executable file not found in \$PATH/);
  });

  test("why a start failed is shown until one does not", async () => {
    const name = newName();
    const folder = scratch();
    await ok("create", "--name", name, "-v", `${folder}:/d`, "busybox", "/d/program");
    const reason = (): Promise<string> => ok("inspect", "-f", "{{.State.Error}}", name);
    expect(await reason()).toBe("");
    await fails(1, /cannot run "\/d\/program"/, "start", name);
    expect(await reason()).toMatch(/^cannot run "\/d\/program": /);
    writeFileSync(`${folder}/program`, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
    await mydocker(["start", "-a", name]);
    expect(await reason()).toBe("");
  });

  test("--rm: it stays until it has run, whoever collects garbage meanwhile, and goes then", async () => {
    const name = newName();
    const id = await ok("create", "--rm", "--name", name, "busybox", "echo", "once");
    await ok("ps", "-a");
    await fails(1, /No such container/, "rm", "nobody");
    expect(existsSync(`${ROOT}/containers/${id}/record.json`)).toBe(true);
    expect(await ok("start", "-a", name)).toBe("once");
    await until(() => !existsSync(`${ROOT}/containers/${id}`), "it to go");
    const broken = newName();
    await ok("create", "--rm", "--name", broken, "busybox", "no-such-program");
    await fails(1, /executable file not found/, "start", broken);
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("commit, rm and rm -f of one that never ran", async () => {
    const name = newName();
    await ok("create", "--name", name, "busybox", "true");
    await ok("commit", name, "of-created");
    await ok("rmi", "of-created");
    expect(await ok("rm", name)).toBe(name);
    const other = await created();
    expect(await ok("rm", "-f", other)).toBe(other);
    expect(foldersLeft()).toEqual([]);
  });
});
