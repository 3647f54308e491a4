import { describe, expect, test } from "bun:test";
import { parseEnv, parseEnvFile } from "../../src/cli/envfile.ts";
import { describeError, errorChain, UsageError } from "../../src/cli/errors.ts";
import { nearest } from "../../src/cli/nearest.ts";
import { loadCommand, takeGlobals } from "../../src/cli/registry.ts";
import { anonymousPlace, parseVolume } from "../../src/cli/volume.ts";
import { SysError } from "../../src/linux/errno.ts";
import { EngineError, undone } from "../../src/linux/errors.ts";

const host: Record<string, string> = { SET: "value", EMPTY: "" };
const lookup = (name: string): string | undefined => host[name];

describe("-e", () => {
  test("a pair as it is, a name with the caller's value, a name without one to be taken out", () => {
    expect(parseEnv(["A=1", "B=x=y", "C=", "SET", "EMPTY", "NONE"], lookup)).toEqual([
      "A=1",
      "B=x=y",
      "C=",
      "SET=value",
      "EMPTY=",
      "NONE",
    ]);
  });

  test.each(["", "=x"])("%p has no name", (entry) => {
    expect(() => parseEnv([entry], lookup)).toThrow("invalid environment variable");
  });
});

describe("--env-file", () => {
  test.each([
    ["pairs", "A=1\nB=2", ["A=1", "B=2"]],
    ["quotes are literal", `A="x y"\nB='z'`, [`A="x y"`, "B='z'"]],
    ["no interpolation", "A=$SET $(SET) \\n", ["A=$SET $(SET) \\n"]],
    ["a # begins a comment at a line's start only", "#x\n  # y\nA=1 # not", ["A=1 # not"]],
    ["a byte order mark is dropped", "\ufeffA=1", ["A=1"]],
    ["only the one at the start", "A=1\nB=\ufeff2", ["A=1", "B=\ufeff2"]],
    ["blank lines, and blanks before a name", "\n   \n\t A=1\n\n", ["A=1"]],
    ["blanks of a value stay", "A= 1 ", ["A= 1 "]],
    ["lines of DOS", "A=1\r\nB=2\r\n", ["A=1", "B=2"]],
    ["more than one =", "A=b=c=", ["A=b=c="]],
    ["the caller's values", "SET\nEMPTY\nNONE", ["SET=value", "EMPTY="]],
    ["nothing", "", []],
  ])("%s", (_, text, entries) => {
    expect(parseEnvFile(text, lookup)).toEqual(entries);
  });

  test.each(["A B=1", "A =1", "=1", "A\tB", "SET "])("a name with blanks or without letters: %p", (line) => {
    expect(() => parseEnvFile(`OK=1\n${line}`, lookup, "my.env")).toThrow(/my\.env, line 2/);
    expect(() => parseEnvFile(line, lookup)).toThrow(UsageError);
  });
});

describe("-v", () => {
  test.each([
    ["/a:/b", { source: "/a", destination: "/b", readOnly: false }],
    ["/a:/b:ro", { source: "/a", destination: "/b", readOnly: true, mode: "ro" }],
    ["/a:/b:rw,z", { source: "/a", destination: "/b", readOnly: false, mode: "rw,z" }],
    [
      "/a:/b:ro,rshared",
      { source: "/a", destination: "/b", readOnly: true, propagation: "rshared", mode: "ro,rshared" },
    ],
    ["data:/b", { source: "", name: "data", destination: "/b", readOnly: false }],
    [
      "data:/b:ro,nocopy",
      { source: "", name: "data", destination: "/b", readOnly: true, noCopy: true, mode: "ro,nocopy" },
    ],
    ["/a//b/./c/../:/x/", { source: "/a/b", destination: "/x", readOnly: false }],
    ["./x:/b", { source: "/home/me/x", destination: "/b", readOnly: false }],
    [".:/b", { source: "/home/me", destination: "/b", readOnly: false }],
    ["../x:/b", { source: "/home/x", destination: "/b", readOnly: false }],
    ["/../../a:/../b", { source: "/a", destination: "/b", readOnly: false }],
    ["/:/host", { source: "/", destination: "/host", readOnly: false }],
  ] as const)("%s", (text, volume) => {
    expect(parseVolume(text, "/home/me")).toEqual(volume);
  });

  test.each([
    "",
    ":/b",
    "/a:ro",
    "data:/b:rshared",
    "/a:/b:nocopy",
    "data:/b:nocopy,nocopy",
    "/a:",
    "/a:/b:",
    "/a:b",
    "/a:./b",
    "/a:/",
    "/a:/b/..",
    "/a:/b:ro:rw",
    "/a:/b:wat",
    "/a:/b:ro,rw",
    "/a:/b:ro,ro",
    "/a:/b:z,Z",
    "/a:/b:shared,rslave",
    "/a:/b:ro,",
  ])("%p is refused with the whole of it in the message", (text) => {
    expect(() => parseVolume(text, "/")).toThrow(`invalid volume specification: '${text}'`);
    expect(() => parseVolume(text, "/")).toThrow(UsageError);
  });

  test("a place alone is one for a volume without a name", () => {
    expect(anonymousPlace("/a//b/")).toBe("/a/b");
    for (const text of ["/a:/b", "data:/b", ""]) expect(anonymousPlace(text)).toBeUndefined();
    for (const text of ["a", "./a", "/", "/proc/sys"])
      expect(() => anonymousPlace(text)).toThrow(`invalid volume specification: '${text}'`);
  });
});

describe("nearest", () => {
  const names = ["detach", "interactive", "name", "network", "rm", "env-file"];
  test.each([
    ["detatch", "detach"],
    ["nmae", "name"],
    ["netwrok", "network"],
    ["interactve", "interactive"],
    ["envfile", "env-file"],
    ["frobnicate", undefined],
    ["x", undefined],
    ["", undefined],
  ])("%p is a slip of %p", (word, found) => {
    expect(nearest(word, names)).toBe(found);
  });

  test("the nearest of several", () => {
    expect(nearest("start", ["restart", "stop", "stat"])).toBe("stat");
  });
});

describe("commands and what stands before them", () => {
  test("an unknown command is 1, with the nearest", async () => {
    const failure = await loadCommand("pss").catch((error: unknown) => error);
    expect(failure).toMatchObject({ exitCode: 1 });
    expect(String(failure)).toContain("did you mean 'mydocker ps'?");
    expect(await loadCommand("constructor").catch((error: unknown) => error)).toMatchObject({ exitCode: 1 });
  });

  test("--root and --run in all spellings go to the environment", () => {
    const before = { ...process.env };
    try {
      expect(takeGlobals(["--root", "/r", "-run=/x", "ps", "--root", "y"])).toEqual(["ps", "--root", "y"]);
      expect([process.env.MYDOCKER_ROOT, process.env.MYDOCKER_RUN]).toEqual(["/r", "/x"]);
      expect(() => takeGlobals(["--root"])).toThrow("flag needs an argument: --root");
      expect(() => takeGlobals(["--rot", "/r", "ps"])).toThrow("unknown flag: --rot");
      expect(takeGlobals(["-v"])).toEqual(["version"]);
      expect(takeGlobals(["-h", "run"])).toEqual(["help", "run"]);
      expect(takeGlobals([])).toEqual(["help"]);
    } finally {
      for (const name of ["MYDOCKER_ROOT", "MYDOCKER_RUN"]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });

  test("--debug=false does not switch it on", () => {
    delete process.env.MYDOCKER_DEBUG;
    try {
      takeGlobals(["--debug=false", "ps"]);
      expect(process.env.MYDOCKER_DEBUG).toBeUndefined();
    } finally {
      delete process.env.MYDOCKER_DEBUG;
    }
  });
});

describe("errors", () => {
  test("one line and an exit code, whatever was thrown", () => {
    expect(describeError(new EngineError("a\n  b\n", 127))).toEqual({ message: "a b ", exitCode: 127 });
    expect(describeError(new UsageError("x"))).toEqual({ message: "x", exitCode: 125 });
    const chain = errorChain(new EngineError("outer", 125, { cause: new Error("inner") }));
    expect(chain).toMatch(/^EngineError: outer\n +at .*\ncaused by: Error: inner\n +at .*\n$/s);
    expect(describeError(new TypeError("x"))).toEqual({ message: "x", exitCode: 125 });
    expect(describeError("x")).toEqual({ message: "x", exitCode: 125 });
  });

  test("a failed system call with its name, what it was about, and a hint", () => {
    const { message, exitCode } = describeError(new SysError("mount", "overlay on /m", 1));
    expect(message).toStartWith("mount overlay on /m: EPERM (");
    expect(message).toContain("root");
    expect(exitCode).toBe(125);
    expect(describeError(new SysError("open", "/x", 2)).message).toBe("open /x: ENOENT");
  });

  test("when the undoing fails too, both are kept, with the first one's code", () => {
    const first = new EngineError("no program", 127);
    expect(undone(first, () => {})).toBe(first);
    const both = undone(first, () => {
      throw new SysError("umount", "/m", 16);
    });
    expect(both).toMatchObject({ exitCode: 127, cause: first });
    expect(String(both)).toContain("no program (and undoing it failed: umount /m: EBUSY)");
  });
});
