import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isRunning, sight, statusOf } from "../../src/container/liveness.ts";
import { Paths } from "../../src/container/paths.ts";
import type { ContainerRecord, State } from "../../src/container/record.ts";
import { CODE, describeShimError, reportTemplate, TIME } from "../../src/container/start.ts";
import {
  findId,
  ID,
  listAll,
  NAME,
  presentState,
  readContainer,
  stateOf,
} from "../../src/container/store.ts";
import { close, lock, O, open } from "../../src/linux/file.ts";
import { bootId, startTime } from "../../src/linux/process.ts";
import { ShimError } from "../../src/runtime/shim.ts";

let base: string;
let paths: Paths;
beforeEach(() => {
  base = mkdtempSync(`${tmpdir()}/mydocker-state-`);
  paths = new Paths(`${base}/root`, `${base}/run`);
  paths.make();
});
afterEach(() => rmSync(base, { recursive: true }));

function record(id: string, name: string, created = "2026-01-31T12:00:00.000Z"): ContainerRecord {
  const nothing = {
    image: "busybox",
    imageId: "",
    layers: [],
    entrypoint: [],
    user: "",
    volumes: [],
    limits: {},
  };
  const more = {
    network: "none",
    stdin: false,
    autoRemove: false,
    stopSignal: "SIGTERM",
    labels: {},
  } as const;
  return { id, name, created, command: ["sh", "-c", "ls"], ...nothing, ...more };
}

function put(id: string, name: string, created?: string): ContainerRecord {
  const made = record(id, name, created);
  mkdirSync(paths.container(id));
  writeFileSync(paths.record(id), JSON.stringify(made));
  writeFileSync(paths.spec(id), "{}");
  symlinkSync(id, paths.name(name));
  return made;
}

describe("names and ids", () => {
  test.each(["c1", "Web_1.x-y", "0a", "1234567890", "a".repeat(200)])("%s is a name", (name) => {
    expect(NAME.test(name)).toBe(true);
  });
  test.each(["", "a", ".a", "-a", "_a", "a/b", "..", "a b", "a\n", "ä1", "a:b", "a@b"])(
    "%p is none",
    (name) => {
      expect(NAME.test(name)).toBe(false);
    },
  );
  test("ids are ten digits", () => {
    expect(ID.test("1234567890")).toBe(true);
    for (const id of ["123456789", "12345678901", "123456789a", "1234567890\n"])
      expect(ID.test(id)).toBe(false);
  });
});

describe("finding a container", () => {
  test("by id, name, and the beginning of one id only", () => {
    put("1234567890", "web");
    put("1239999999", "db");
    for (const reference of ["1234567890", "web", "1234", "123456789"])
      expect(findId(paths, reference)).toBe("1234567890");
    expect(findId(paths, "1239")).toBe("1239999999");
  });

  test("a whole id before a name, a name before the beginning of an id", () => {
    put("1234567890", "2222222222");
    put("2222222222", "12");
    expect(findId(paths, "2222222222")).toBe("2222222222");
    expect(findId(paths, "12")).toBe("2222222222");
    expect(findId(paths, "123")).toBe("1234567890");
  });

  test("a beginning that fits several is an error that lists them", () => {
    put("1234567890", "web");
    put("1239999999", "db");
    expect(() => findId(paths, "123")).toThrow(
      /ambiguous id prefix 123: .*(1234567890, 1239999999|1239999999, 1234567890)/,
    );
  });

  test.each(["nope", "9", "../etc", "", "web/", "/web", "*"])("%p is none", (reference) => {
    put("1234567890", "web");
    expect(() => findId(paths, reference)).toThrow(`No such container: ${reference}`);
    try {
      findId(paths, reference);
    } catch (error) {
      expect(error).toMatchObject({ exitCode: 1 });
    }
  });

  test("half-made ones and names that lead nowhere are none", () => {
    mkdirSync(paths.container("1234567890"));
    symlinkSync("1234567890", paths.name("half"));
    symlinkSync("../../etc", paths.name("evil"));
    for (const reference of ["1234567890", "12", "half", "evil"])
      expect(() => findId(paths, reference)).toThrow("No such container");
  });

  test("a damaged record is told as such, and listed", () => {
    put("1234567890", "web");
    put("1234567891", "ok");
    writeFileSync(paths.record("1234567890"), '{"id":');
    expect(() => readContainer(paths, "1234567890")).toThrow("the record of container 1234567890 is damaged");
    const listed = listAll(paths);
    expect(listed.map(({ state, broken }) => [state.id, broken === undefined]).sort()).toEqual([
      ["1234567890", false],
      ["1234567891", true],
    ]);
  });

  test("the newest is listed first", () => {
    put("1234567890", "old", "2026-01-01T00:00:00.000Z");
    put("1234567891", "new", "2026-01-03T00:00:00.000Z");
    put("1234567892", "mid", "2026-01-02T00:00:00.000Z");
    expect(listAll(paths).map(({ state }) => state.name)).toEqual(["new", "mid", "old"]);
  });
});

describe("who runs", () => {
  const running = (changes: Partial<State>): State => ({
    ...stateOf(record("1234567890", "web")),
    status: "running",
    bootId: bootId(),
    ...changes,
  });

  test("a state is alive while somebody holds its lock, in this boot, and says it runs", () => {
    mkdirSync(paths.runFolder("web"));
    const alive = (state: Partial<State>): boolean | undefined => {
      writeFileSync(paths.state("web"), JSON.stringify({ ...running({}), ...state }));
      return sight(paths, "web")?.alive;
    };
    expect(alive({})).toBe(false);
    const fd = open(paths.state("web"), O.RDONLY);
    lock(fd, true);
    expect(alive({})).toBe(true);
    expect(alive({ bootId: "another" })).toBe(false);
    expect(alive({ status: "exited" })).toBe(false);
    close(fd);
    expect(alive({})).toBe(false);
    writeFileSync(paths.state("web"), '{"id":"12');
    expect(sight(paths, "web")).toBeUndefined();
    expect(sight(paths, "nosuch")).toBeUndefined();
  });

  test("a pid is trusted with its start time and boot only", () => {
    const own = running({ pid: String(process.pid), startTime: startTime(process.pid) ?? "" });
    expect(isRunning(own)).toBe(true);
    for (const changes of [{ startTime: "1" }, { bootId: "x" }, { status: "exited" as const }])
      expect(isRunning({ ...own, ...changes })).toBe(false);
    expect(isRunning(undefined)).toBe(false);
  });

  test("a run whose monitor is gone has ended: with 137, or as was recorded", () => {
    const made = put("1234567890", "web");
    mkdirSync(paths.runFolder("web"));
    const state = running({ startedAt: "2026-01-31T12:00:00.000Z" });
    writeFileSync(paths.state("web"), JSON.stringify(state));
    expect(presentState(paths, made)).toMatchObject({ status: "exited", exitCode: 137, pid: "" });
    writeFileSync(
      paths.exit("1234567890"),
      JSON.stringify({ exitCode: 3, finishedAt: "2026-01-31T11:00:00.000Z" }),
    );
    expect(presentState(paths, made)).toMatchObject({ exitCode: 137 });
    writeFileSync(
      paths.exit("1234567890"),
      JSON.stringify({ exitCode: 3, finishedAt: "2026-01-31T13:00:00.000Z" }),
    );
    expect(presentState(paths, made)).toMatchObject({ exitCode: 3 });
  });

  test("a run that a power cut ended is Exited after the boot, not Created", () => {
    const made = put("1234567890", "web");
    expect(statusOf(presentState(paths, made))).toBe("created");
    writeFileSync(paths.log("1234567890"), "");
    expect(statusOf(presentState(paths, made))).toBe("exited");
  });

  test("a state of another container of that name is not this one's", () => {
    const made = put("1234567890", "web");
    mkdirSync(paths.runFolder("web"));
    writeFileSync(paths.state("web"), JSON.stringify({ ...running({}), id: "1111111111", exitCode: 9 }));
    expect(presentState(paths, made).id).toBe("1234567890");
  });
});

describe("what the monitor reports", () => {
  const filled = (text: string): unknown =>
    JSON.parse(text.replaceAll("@CODE@", "7").replaceAll("@TIME@", "now"));

  test("its placeholders become a number and a time", () => {
    const text = reportTemplate({ id: "1", exitCode: CODE, finishedAt: TIME });
    expect(text).toBe('{"id":"1","exitCode":@CODE@,"finishedAt":"@TIME@"}');
    expect(filled(text)).toEqual({ id: "1", exitCode: 7, finishedAt: "now" });
  });

  const literal = (command: string): void => {
    const text = reportTemplate({ command, exitCode: CODE, finishedAt: TIME });
    expect(filled(text)).toEqual({ command, exitCode: 7, finishedAt: "now" });
  };
  test.each([
    "echo @CODE@",
    "@TIME@ x",
    "a@b.c",
    "@@CODE@@",
    '"@CODE@"',
    "\\@CODE@",
    "\u0001C",
    "\u0001",
    "@",
    '"\\u0001@CODE@"',
  ])("what the user wrote stays: %j", (command) => literal(command));
  for (const command of ["@CODE@", "@TIME@", "\\u0001@TIME@", "x \\u0001@TIME@ y", "\u0001@TIME@"])
    test(`what the user wrote stays: ${JSON.stringify(command)}`, () => literal(command));

  test("Docker's codes for a program that cannot be run", () => {
    const told = (errno: number, program: string): unknown =>
      describeShimError(new ShimError("exec", errno), program);
    expect(told(2, "nope")).toMatchObject({ exitCode: 127 });
    expect(String(told(2, "nope"))).toContain("executable file not found in $PATH");
    expect(String(told(2, "/bin/nope"))).toContain("no such file or directory");
    expect(told(20, "/a/b")).toMatchObject({ exitCode: 127 });
    expect(told(13, "/etc")).toMatchObject({ exitCode: 126 });
    expect(told(8, "/x")).toMatchObject({ exitCode: 126 });
    expect(describeShimError(new ShimError("cwd", 20), "sh")).toMatchObject({ exitCode: 125 });
    expect(describeShimError(new ShimError("cwd", 20), "sh", 126)).toMatchObject({ exitCode: 126 });
    expect(describeShimError(new ShimError("clone", 1), "sh")).toMatchObject({ exitCode: 125 });
  });
});
