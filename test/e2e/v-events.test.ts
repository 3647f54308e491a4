/** events: the journal of what happens to containers. */
import { describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, rmSync, statSync } from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, start, suite, until } from "./harness.ts";

suite();

const PAST = ["events", "--since", "1h", "--until", "0s"];
const ACTIONS = [...PAST, "--format", "{{.Action}}"];

async function actions(name: string): Promise<string[]> {
  return (await ok(...ACTIONS, "--filter", `container=${name}`)).split("\n").filter((line) => line !== "");
}

describe("events", () => {
  test("the life of a container, in order", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    for (const verb of ["pause", "unpause"]) await ok(verb, name);
    await ok("update", "--pids-limit", "10", name);
    await ok("kill", name);
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    await ok("start", name);
    await ok("restart", "-t", "0", name);
    await ok("rm", "-f", name);
    expect(await actions(name)).toEqual(
      "create start pause unpause update kill die start kill kill die stop start restart die destroy".split(
        " ",
      ),
    );
  });

  test("of --rm, attached and not; create alone; what fails leaves none", async () => {
    const name = newName();
    await ok("run", "--rm", "--name", name, "busybox", "true");
    expect(await actions(name)).toEqual(["create", "start", "die", "destroy"]);
    const other = newName();
    await ok("run", "-d", "--rm", "--name", other, "busybox", "true");
    await until(async () => (await actions(other)).length === 4, "its end");
    const third = newName();
    await fails(127, /not found/, "run", "--name", third, "busybox", "no-such-program");
    expect(await actions(third)).toEqual([]);
    await ok("create", "--name", third, "busybox", "true");
    await ok("rm", third);
    expect(await actions(third)).toEqual(["create", "destroy"]);
  });

  test("out of memory is one: at once, also where only a child was killed", async () => {
    // not before its start is put down
    const script = "sleep 0.3; tail /dev/zero; sleep 1000";
    const { name } = await background("-m", "8m", "busybox", "sh", "-c", script);
    await until(async () => (await actions(name)).length === 3, "the event");
    expect(await actions(name)).toEqual(["create", "start", "oom"]);
    const other = newName();
    await mydocker(["run", "--rm", "--name", other, "-m", "8m", "busybox", "tail", "/dev/zero"]);
    expect(await actions(other)).toEqual(["create", "start", "oom", "die", "destroy"]);
  });

  test("Docker's line, JSON and templates; labels and exit codes", async () => {
    const name = newName();
    await mydocker(["run", "--name", name, "-l", "a=b@c", "busybox", "sh", "-c", "exit 7"]);
    const id = await ok("ps", "-aq");
    const of = ["--filter", `container=${id}`, "--filter", "event=die"];
    expect(await ok(...PAST, ...of)).toMatch(
      new RegExp(
        `^20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z container die ${id} \\(a=b@c, exitCode=7, image=busybox, name=${name}\\)$`,
      ),
    );
    const json = JSON.parse(await ok(...PAST, ...of, "--format", "json"));
    expect(json).toMatchObject({
      status: "die",
      id,
      from: "busybox",
      Type: "container",
      Action: "die",
      Actor: { ID: id, Attributes: { a: "b@c", exitCode: "7", image: "busybox", name } },
      scope: "local",
    });
    expect(await ok(...PAST, ...of, "--format", "{{json .}}")).toBe(
      await ok(...PAST, ...of, "--format", "json"),
    );
    expect(Math.abs(json.time - Date.now() / 1000)).toBeLessThan(60);
    expect(await ok(...PAST, ...of, "--format", "{{.Actor.Attributes.exitCode}}")).toBe("7");
  });

  test("their times are in their order, whoever put them down", async () => {
    const name = newName();
    for (let i = 0; i < 5; i++) await ok("run", "--rm", "--name", name, "busybox", "true");
    const shown = await ok(...PAST, "--filter", `container=${name}`, "--format", "{{.TimeNano}} {{.Action}}");
    const lines = shown.split("\n");
    expect(lines).toHaveLength(20);
    expect(lines.map((line) => BigInt(line.split(" ")[0] ?? 0)).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      lines.map((line) => BigInt(line.split(" ")[0] ?? 0)),
    );
  });

  test("filters: alternatives of one key, all of different keys", async () => {
    const name = newName();
    await ok("run", "--rm", "--name", name, "-l", "color=red", "busybox", "true");
    const some = async (...filters: string[]): Promise<string> =>
      (await ok(...ACTIONS, ...[...filters, `container=${name}`].flatMap((one) => ["-f", one]))).replaceAll(
        "\n",
        " ",
      );
    expect(await some("event=start", "event=die")).toBe("start die");
    expect(await some("label=color=red", "event=create")).toBe("create");
    expect(await some("label=color=blue")).toBe("");
    expect(await some("label=color", "image=busybox:latest", "type=container", "event=destroy")).toBe(
      "destroy",
    );
    expect(await some("type=network")).toBe("");
    await fails(125, /invalid filter 'odd'/, ...PAST, "--filter", "odd=1");
    await fails(125, /it must be KEY=VALUE/, ...PAST, "--filter", "event");
  });

  test("as it happens, until it is interrupted; what was before is not shown", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const child = start(["events", "--format", "{{.Action}} {{.Actor.Attributes.name}}"]);
    let seen = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) seen += decoder.decode(chunk);
    })();
    // it is listening once it shows something
    await until(async () => {
      await ok("pause", name);
      await ok("unpause", name);
      return seen.includes("unpause");
    }, "the first event");
    await ok("rm", "-f", name);
    await until(() => seen.includes(`destroy ${name}`), "the last event");
    expect(seen).not.toContain("start");
    child.kill("SIGINT");
    await child.exited;
    await reading;
  });

  test("--until in the future ends it then", async () => {
    const begun = performance.now();
    await ok("events", "--until", String(Date.now() / 1000 + 0.5));
    expect(performance.now() - begun).toBeGreaterThan(300);
  });

  test("a journal that was torn, that is gone, and that has grown large", async () => {
    const journal = `${ROOT}/events.jsonl`;
    appendFileSync(journal, '{"time":"2026-\n');
    const name = newName();
    await ok("run", "--rm", "--name", name, "busybox", "true");
    expect(await actions(name)).toHaveLength(4);
    rmSync(journal);
    await ok("run", "--rm", "--name", `${name}-2`, "busybox", "true");
    expect(await actions(`${name}-2`)).toHaveLength(4);
    appendFileSync(journal, `${"x".repeat(4 << 20)}\n`);
    await ok("run", "--rm", "--name", `${name}-3`, "busybox", "true");
    expect(statSync(journal).size).toBeLessThan(1 << 20);
    expect(readFileSync(`${ROOT}/events.1.jsonl`, "utf8").length).toBeGreaterThan(4 << 20);
    expect(await actions(`${name}-3`)).toEqual(["create", "start", "die", "destroy"]);
    expect(statSync(journal).mode & 0o777).toBe(0o600);
  });
});
