/** What a container's processes are, as `top` tells. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { background, fails, mydocker, ok, start, suite, until } from "./harness.ts";

suite();

const rows = (text: string): string[][] => text.split("\n").map((line) => line.trim().split(/\s+/));

describe("top", () => {
  test("the host's pids of all processes of the container, those of exec too", async () => {
    const { name, pid } = await background("busybox", "sh", "-c", "sleep 1001 & sleep 1002; exit");
    const exec = start(["exec", "-u", "1234", name, "sleep", "1003"]);
    const list = async (): Promise<string[][]> => rows(await ok("top", name));
    await until(async () => (await list()).length === 5, "four processes");
    const listed = await list();
    expect(listed[0]).toEqual(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    expect(listed[1]).toMatchObject({ 0: "root", 1: String(pid), 7: "sh" });
    const other = listed.find((row) => row.at(-1) === "1003") ?? [];
    expect(other[0]).toBe("1234");
    expect(readFileSync(`/proc/${other[1]}/cmdline`, "utf8")).toBe("sleep\x001003\0");
    expect(listed.filter((row) => row[2] === String(pid)).map((row) => row.slice(7).join(" "))).toEqual(
      expect.arrayContaining(["sleep 1001", "sleep 1002"]),
    );
    await ok("kill", name);
    expect(await exec.exited).toBe(137);
  });

  test("options of ps", async () => {
    const { name, pid } = await background("busybox", "sleep", "1000");
    expect(await ok("top", name, "-o", "pid,args")).toBe(
      `PID                 COMMAND\n${String(pid).padEnd(20)}sleep 1000`,
    );
    expect(await ok("top", name, "aux")).toMatch(/^USER +PID +%CPU .*\nroot +\d+ +\d+\.\d /);
    await fails(1, /cannot read ps options '-x'/, "top", name, "-x");
  });

  test("one that does not run, and none", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await ok("kill", name);
    await until(async () => (await mydocker(["top", name])).code === 1, "its end");
    await fails(1, new RegExp(`container ${name} is not running`), "top", name);
    await fails(1, /No such container: nobody/, "top", "nobody");
    await fails(1, /requires at least 1 argument/, "top");
  });
});
