/** What containers use, as `stats` tells: against the kernel's own view, and against what they were made to use. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import {
  BINARY,
  background,
  CGROUP2,
  ENV,
  fails,
  groupFile,
  mydocker,
  newName,
  ok,
  quietly,
  Session,
  start,
  suite,
  testWhere,
  until,
} from "./harness.ts";

suite();

const SLEEP = ["busybox", "sleep", "1000"];
const ZEROS = "0.00%|0B / 0B|0.00%|0B / 0B|0B / 0B|0";
const ALL = "{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}";
const HEADER = /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/;

/** One field of one container. */
const field = (name: string, what: string): Promise<string> =>
  ok("stats", "--no-stream", "--format", `{{.${what}}}`, name);

/** `1.5MiB` in bytes. */
function bytes(text = ""): number {
  const units = ["B", "KiB", "MiB", "GiB"];
  const [, number, unit = ""] = /^([0-9.]+)([A-Za-z]+)$/.exec(text) ?? [];
  return Number(number) * 1024 ** units.indexOf(unit);
}

async function memory(name: string): Promise<{ used: number; limit: number }> {
  const [used, limit] = (await field(name, "MemUsage")).split(" / ");
  return { used: bytes(used), limit: bytes(limit) };
}

/** The CPU time of a container, as the kernel counts it. */
function cpuSeconds(id: string): number {
  const text = groupFile(id, "cpuacct", "cpuacct.usage", "cpu.stat");
  return CGROUP2 ? Number(/^usage_usec (\d+)/.exec(text)?.[1]) / 1e6 : Number(text) / 1e9;
}

describe("stats", () => {
  test("a busy loop under --cpus 0.5 uses half of a core, one that sleeps nothing", async () => {
    const busy = await background("--cpus", "0.5", "busybox", "sh", "-c", "while :; do :; done");
    const idle = await background(...SLEEP);
    const format = ["--format", "{{.Name}} {{.CPUPerc}}"];
    const [before, begun] = [cpuSeconds(busy.id), performance.now()];
    const watch = start(["stats", ...format, busy.name, idle.name]);
    await Bun.sleep(6000);
    watch.kill("SIGINT");
    const really = ((cpuSeconds(busy.id) - before) / (performance.now() - begun)) * 100_000;
    expect(await watch.exited).toBe(130);
    const lines = (await new Response(watch.stdout).text()).trim().split("\n");
    const mean = (name: string): number => {
      const shares = lines
        .filter((line) => line.startsWith(`${name} `))
        .map((line) => line.split(" ")[1] ?? "");
      expect(shares.length).toBeGreaterThan(2);
      for (const share of shares) expect(share).toMatch(/^[0-9]+\.[0-9]{2}%$/);
      return shares.reduce((sum, share) => sum + Number.parseFloat(share), 0) / shares.length;
    };
    // half of a core, but for a machine that has not got so much to give
    expect(really).toBeLessThan(55);
    expect(Math.abs(mean(busy.name) - really)).toBeLessThan(4);
    expect(mean(idle.name)).toBeLessThan(2);
  });

  test("memory that a program holds, its limit, and its share", async () => {
    const script = "dd if=/dev/zero of=/dev/shm/held bs=1M count=40 2>/dev/null; echo held; exec sleep 1000";
    const { name } = await background("-m", "128m", "busybox", "sh", "-c", script);
    await until(async () => (await ok("logs", name)) === "held", "the memory to be held");
    const { used, limit } = await memory(name);
    expect(limit).toBe(128 << 20);
    expect(used).toBeGreaterThan(40 * 2 ** 20);
    expect(used).toBeLessThan(43 * 2 ** 20);
    const share = Number.parseFloat(await field(name, "MemPerc"));
    expect(share).toBeGreaterThan(31);
    expect(share).toBeLessThan(34);
    await ok("update", "-m", "256m", "--memory-swap", "512m", name);
    expect((await memory(name)).limit).toBe(256 << 20);
  });

  test("the page cache of a file that was read is not memory in use; no limit is the host's memory", async () => {
    // one with nothing in it, so that nobody has any of it in the cache yet
    const file = `/var/tmp/mydocker-stats-test-${process.pid}`;
    writeFileSync(file, "");
    truncateSync(file, 32 << 20);
    try {
      const { id, name } = await background("-v", `${file}:/file:ro`, ...SLEEP);
      const before = await memory(name);
      const total = Number(/^MemTotal: +([0-9]+)/.exec(await Bun.file("/proc/meminfo").text())?.[1]) * 1024;
      expect(Math.abs(before.limit / total - 1)).toBeLessThan(0.001);
      // in large pieces: a page that is read from twice counts as used
      await ok("exec", name, "dd", "if=/file", "of=/dev/null", "bs=4M");
      const cached = (): number =>
        Number(
          /^(?:total_)?inactive_file ([0-9]+)/m.exec(
            groupFile(id, "memory", "memory.stat", "memory.stat"),
          )?.[1],
        );
      await until(() => cached() > 28 << 20, "the cache of the file");
      const { used } = await memory(name);
      expect(used - before.used).toBeLessThan(6 << 20);
    } finally {
      unlinkSync(file);
    }
  });

  test("processes are counted", async () => {
    const { name } = await background("busybox", "sh", "-c", "sleep 1001 & sleep 1002 & wait");
    await until(async () => (await field(name, "PIDs")) === "3", "three processes");
  });

  const disk = quietly(() => readdirSync("/sys/block"), []).find((one) =>
    quietly(() => statSync(`/dev/${one}`).rdev === statSync("/var/lib").dev, false),
  );
  testWhere(
    disk !== undefined,
    "nothing here lies on a disk",
    "bytes that are written to a disk",
    async () => {
      // v1's newer kernels count nothing until some group has a rate of that disk
      const { name } = await background("--device-write-bps", `/dev/${disk}:10gb`, ...SLEEP);
      expect(await field(name, "BlockIO")).toMatch(/ \/ 0B$/);
      await ok("exec", name, "dd", "if=/dev/zero", "of=/file", "bs=256k", "count=20", "oflag=direct");
      expect(await field(name, "BlockIO")).toMatch(/ \/ 5\.[23][0-9]?MB$/);
    },
  );

  const inNamespace = (pid: number | undefined, script: string): boolean => {
    const enter = pid === undefined ? ["unshare", "-n"] : ["nsenter", "-t", String(pid), "-n"];
    return quietly(() => Bun.spawnSync([...enter, "sh", "-c", script]).success, false);
  };
  const WIRE = "ip link add name one type veth peer name two && ip link set one up && ip link set two up";
  testWhere(inNamespace(undefined, WIRE), "no veth here", "the traffic of all interfaces", async () => {
    const { name, pid } = await background("--network", "none", ...SLEEP);
    const add =
      "ip addr add 10.99.99.1/24 dev one && ip neigh add 10.99.99.2 lladdr 02:00:00:00:00:01 dev one";
    expect(inNamespace(pid, `${WIRE} && ${add}`)).toBe(true);
    // nobody answers
    await mydocker(["exec", name, "ping", "-c", "2", "-W", "1", "-s", "1000", "10.99.99.2"]);
    expect(inNamespace(pid, "ip link set one down && ip link set two down")).toBe(true);
    const rows = readFileSync(`/proc/${pid}/net/dev`, "utf8").matchAll(/ (one|two): *([0-9]+)/g);
    const received = [...rows].reduce((sum, [, , count]) => sum + Number(count), 0);
    expect(received).toBeGreaterThan(2000);
    // what one of the two sends the other one gets
    const size = `${Number((received / 1000).toPrecision(3))}kB`;
    expect(await field(name, "NetIO")).toBe(`${size} / ${size}`);
  });

  test("neither lo nor the network of the host is the traffic of a container", async () => {
    const own = await background(
      "--network",
      "none",
      "busybox",
      "sh",
      "-c",
      "ping -c 3 127.0.0.1; echo done; exec sleep 1000",
    );
    const host = await background("--network", "host", ...SLEEP);
    await until(async () => (await ok("logs", own.name)).includes("done"), "its end");
    expect(await field(own.name, "NetIO")).toBe("0B / 0B");
    expect(await field(host.name, "NetIO")).toBe("0B / 0B");
  });
});

describe("which containers", () => {
  test("those that run; -a: all; those that are named, in that order, each once", async () => {
    const [one, two] = [await background(...SLEEP), await background(...SLEEP)];
    const made = newName();
    await ok("create", "--name", made, "busybox", "true");
    const names = async (...args: string[]): Promise<string> =>
      (await ok("stats", "--no-stream", "--format", "{{.Name}}", ...args)).replaceAll("\n", " ");
    expect(await names()).toBe(`${two.name} ${one.name}`);
    expect(await names("-a")).toBe(`${made} ${two.name} ${one.name}`);
    expect(await names(made, one.name, made)).toBe(`${made} ${one.name}`);
    const asked = ["--format", "{{.Container}} {{.ID}} {{.Name}}"];
    expect(await ok("stats", "--no-stream", ...asked, one.id.slice(0, 9))).toBe(
      `${one.id.slice(0, 9)} ${one.id} ${one.name}`,
    );
    await ok("pause", two.name);
    expect(await names()).toBe(`${two.name} ${one.name}`);
    expect(await ok("stats", "--no-stream", "--format", ALL, two.name)).toMatch(/^0\.00%\|[1-9].*\|1$/);
  });

  test("of one that does not run there are zeros", async () => {
    const { name } = await background(...SLEEP);
    await ok("stop", "-t", "0", name);
    expect(await ok("stats", "--no-stream", "--format", ALL, name)).toBe(ZEROS);
    expect(await ok("stats", "--no-stream", "--format", ALL, "-a")).toBe(ZEROS);
    expect(await ok("stats", "--no-stream", "--format", ALL)).toBe("");
  });

  test("one that is not there is told before anything is shown", async () => {
    const { name } = await background(...SLEEP);
    await fails(1, /No such container: nobody/, "stats", "--no-stream", name, "nobody");
    await fails(1, /No such container: nobody/, "stats", name, "nobody");
    const both = await mydocker(["stats", "nobody", name, "nothing"]);
    expect(both).toEqual({
      code: 1,
      stdout: "",
      stderr: "mydocker: No such container: nobody\nmydocker: No such container: nothing\n",
    });
  });

  test("--format: table, json, a template; a wrong one", async () => {
    expect(await ok("stats", "--no-stream")).toMatch(HEADER);
    const { name, id } = await background("-m", "64m", "--network", "none", ...SLEEP);
    const [header = "", row = "", ...more] = (await ok("stats", "--no-stream", "--no-trunc")).split("\n");
    expect(header).toMatch(HEADER);
    expect(row).toMatch(
      new RegExp(
        `^${id} +${name} +[0-9.]+% +[0-9.]+[KM]iB / 64MiB +[0-9.]+% +0B / 0B +[0-9.kMB]+ / [0-9.kMB]+ +1$`,
      ),
    );
    expect(more).toEqual([]);
    expect(Object.entries(JSON.parse(await ok("stats", "--no-stream", "--format", "json")))).toEqual([
      ["BlockIO", expect.stringContaining(" / ")],
      ["CPUPerc", expect.stringContaining("%")],
      ["Container", id],
      ["ID", id],
      ["MemPerc", expect.stringContaining("%")],
      ["MemUsage", expect.stringContaining(" / 64MiB")],
      ["Name", name],
      ["NetIO", "0B / 0B"],
      ["PIDs", "1"],
    ]);
    const columns = ["--format", "table {{.Name}}\t{{.PIDs}}"];
    expect(await ok("stats", "--no-stream", ...columns)).toMatch(new RegExp(`^NAME +PIDS\n${name} +1$`));
    await fails(64, /Nope/, "stats", "--no-stream", "--format", "{{.Nope}}");
  });
});

/** The rows of the last whole frame on a terminal, without what clears. */
function lastFrame(session: Session): string[] {
  const whole = session.output.slice(0, session.output.lastIndexOf("\x1b[J"));
  const lines = whole.slice(whole.lastIndexOf("\x1b[H") + 3).replaceAll("\x1b[K", "");
  return lines.split("\r\n").filter((line) => line !== "");
}

describe("live", () => {
  test("on a terminal: redrawn in place, as containers come and go; Ctrl-C ends it", async () => {
    const session = new Session(["stats"], { cols: 120, rows: 24 });
    await until(() => HEADER.test(lastFrame(session)[0] ?? ""), "the header");
    expect(lastFrame(session)).toHaveLength(1);
    const { name } = await background(...SLEEP);
    await until(() => lastFrame(session)[1]?.includes(name), "the new one");
    await ok("rm", "-f", name);
    await until(() => lastFrame(session).length === 1, "the frame without it");
    const [first = ""] = session.output.split("\n", 1);
    expect(first.startsWith("\x1b[HCONTAINER ID ")).toBe(true);
    expect(first.endsWith("PIDS\x1b[K\r")).toBe(true);
    expect(session.output).toContain("\n\x1b[J\x1b[HCONTAINER ID ");
    const begun = performance.now();
    session.type("\x03");
    expect(await session.end()).toBe(130);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test("one that is named stays when it ends, and starts again", async () => {
    const { name } = await background(...SLEEP);
    const session = new Session(["stats", "--format", `{{.Name}} ${ALL}`, name]);
    const shows = (words: RegExp): Promise<unknown> =>
      until(() => words.test(lastFrame(session).join("\n")), `${words} in ${session.output}`);
    await shows(/\|1$/);
    await ok("stop", "-t", "0", name);
    await shows(/^[^ ]+ 0\.00%\|0B \/ 0B\|0\.00%\|0B \/ 0B\|0B \/ 0B\|0$/);
    await ok("start", name);
    await shows(/\|1$/);
    await ok("rm", "-f", name);
    await shows(/^[^ ]+ --\|-- \/ --\|--\|--\|--\|--$/);
    session.type("\x03");
    expect(await session.end()).toBe(130);
  });

  test("elsewhere: one table after the other, without control characters, until nobody reads", async () => {
    const { name } = await background(...SLEEP);
    const script = '"$0" stats "$1" | head -n 6; echo $PIPESTATUS';
    const shell = Bun.spawn(["bash", "-c", script, BINARY, name], { env: ENV, stdout: "pipe" });
    const lines = (await new Response(shell.stdout).text()).trimEnd().split("\n");
    expect(lines).toHaveLength(7);
    for (const at of [0, 2, 4]) expect(lines[at]).toMatch(HEADER);
    for (const at of [1, 3, 5]) expect(lines[at]).toMatch(new RegExp(`^[0-9]{10} +${name} .* 1$`));
    expect(lines[6]).toBe("141");
  });
});
