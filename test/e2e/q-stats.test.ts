/** stats: what containers use, as the kernel counts it. */
import { describe, expect, test } from "bun:test";
import {
  background,
  CGROUP2,
  fails,
  mydocker,
  newName,
  ok,
  Session,
  SLOW,
  start,
  suite,
  testWhere,
  until,
} from "./harness.ts";

suite();

const SLEEP = ["busybox", "sleep", "1000"];

/** One field of one container. */
async function stat(name: string, field: string): Promise<string> {
  return ok("stats", "--no-stream", "--format", `{{.${field}}}`, name);
}

/** Bytes of a size as stats prints it, `40.39MiB`. */
function bytes(text: string): number {
  const [, number, unit] = /^([0-9.e+]+)([A-Za-z]+)$/.exec(text) ?? [];
  const power = "BKMGT".indexOf((unit ?? "B").charAt(0).toUpperCase());
  return Number(number) * (unit?.includes("i") ? 1024 : 1000) ** power;
}

describe("stats", () => {
  test("CPU: a busy loop under --cpus 0.5 is half of one; one that sleeps none", async () => {
    const busy = await background("--cpus", "0.5", "busybox", "sh", "-c", "while :; do :; done");
    const idle = await background(...SLEEP);
    // several looks: the kernel hands the quota out in slices
    const shares: number[] = [];
    for (let i = 0; i < 4; i++) shares.push(Number.parseFloat(await stat(busy.name, "CPUPerc")));
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    expect(mean).toBeGreaterThan(SLOW ? 35 : 45);
    expect(mean).toBeLessThan(SLOW ? 65 : 55);
    expect(Number.parseFloat(await stat(idle.name, "CPUPerc"))).toBeLessThan(1);
  });

  test("memory: what is held; the limit; processes", async () => {
    const script =
      "dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; sleep 1000 & sleep 1001 & echo up; wait";
    const { name } = await background("-m", "200m", "busybox", "sh", "-c", script);
    await until(async () => (await ok("logs", name)) === "up", "the memory");
    await until(async () => (await stat(name, "PIDs")) === "3", "its processes");
    const [used = "", limit = ""] = (await stat(name, "MemUsage")).split(" / ");
    expect(bytes(used)).toBeGreaterThan(40 << 20);
    expect(bytes(used)).toBeLessThan(46 << 20);
    expect(limit).toBe("200MiB");
    expect(Number.parseFloat(await stat(name, "MemPerc"))).toBeCloseTo((bytes(used) / (200 << 20)) * 100, 0);
  });

  testWhere(
    !SLOW,
    "files of the virtual machine are in memory",
    "files that can be dropped do not count",
    async () => {
      const { name } = await background(...SLEEP);
      await ok("exec", name, "dd", "if=/dev/zero", "of=/file", "bs=1M", "count=60");
      expect(bytes((await stat(name, "MemUsage")).split(" / ")[0] ?? "")).toBeLessThan(20 << 20);
    },
  );

  testWhere(!CGROUP2, "this kernel has no disk", "what is written to disks", async () => {
    const { name } = await background(...SLEEP);
    const written = async (): Promise<number> => bytes((await stat(name, "BlockIO")).split(" / ")[1] ?? "");
    const before = await written();
    await ok("exec", name, "dd", "if=/dev/zero", "of=/file", "bs=1M", "count=5", "oflag=direct");
    expect((await written()) - before).toBeGreaterThanOrEqual(5e6);
  });

  test("the table: all that run, or those that are named, or with -a all", async () => {
    const running = await background("-m", "64m", ...SLEEP);
    const created = newName();
    const id = await ok("create", "--name", created, ...SLEEP);
    const [head = "", ...rows] = (await ok("stats", "--no-stream")).split("\n");
    expect(head.split(/ {2,}/)).toEqual([
      "CONTAINER ID",
      "NAME",
      "CPU %",
      "MEM USAGE / LIMIT",
      "MEM %",
      "NET I/O",
      "BLOCK I/O",
      "PIDS",
    ]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatch(new RegExp(`^${running.id} +${running.name} .* / 64MiB .* 0B / 0B .* 1$`));
    expect(await ok("stats", "-a", "--no-stream", "--format", "{{.Name}}")).toBe(
      `${created}\n${running.name}`,
    );
    expect(JSON.parse(await ok("stats", "--no-stream", "--format", "json", id.slice(0, 9)))).toMatchObject({
      Container: id.slice(0, 9),
      ID: id,
      Name: created,
      MemUsage: "0B / 0B",
      PIDs: "0",
    });
    await ok("pause", running.name);
    expect(await stat(running.name, "PIDs")).toBe("1");
  });

  test("errors", async () => {
    await fails(1, /No such container: nobody/, "stats", "--no-stream", "nobody");
    await fails(125, /unknown flag: --no-streams/, "stats", "--no-streams");
    expect(await ok("stats", "--no-stream")).toMatch(/^CONTAINER ID/);
    expect((await mydocker(["stats", "--no-stream", "--format", "{{.Nothing}}"])).stdout).toBe("");
  });

  test("live on a terminal: drawn over, with those that come and without those that go; Ctrl-C ends it", async () => {
    const first = await background(...SLEEP);
    const session = new Session(["stats"]);
    await session.see(new RegExp(first.name));
    const second = await background(...SLEEP);
    await session.see(new RegExp(second.name));
    await ok("rm", "-f", first.name);
    await until(() => {
      const last = session.output.split("\u001b[H").at(-2) ?? "";
      return last.includes(second.name) && !last.includes(first.name);
    }, "the first one to go");
    const frame = session.output.split("\u001b[H").at(-2) ?? "";
    expect(frame).toContain("PIDS\u001b[K");
    expect(frame).toEndWith("\u001b[J");
    session.type("\u0003");
    expect(await session.end()).toBe(130);
  });

  test("not on a terminal: one table after the other, without any control codes; a closed pipe ends it", async () => {
    const { name } = await background(...SLEEP);
    const child = start(["stats", name]);
    const reader = child.stdout.getReader();
    let text = "";
    await until(async () => {
      text += new TextDecoder().decode((await reader.read()).value);
      return text.split("CONTAINER ID").length > 3;
    }, "three tables");
    expect(text).not.toContain("\u001b");
    await ok("rm", "-f", name);
    await until(async () => {
      const { value } = await reader.read();
      return !new TextDecoder().decode(value).includes(name);
    }, "it to go");
    child.kill("SIGINT");
    await child.exited;
  });
});
