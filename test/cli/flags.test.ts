import { describe, expect, test } from "bun:test";
import type { Command, Flag } from "../../src/cli/command.ts";
import { command as exec } from "../../src/cli/commands/exec.ts";
import { command as ps } from "../../src/cli/commands/ps.ts";
import { command as rm } from "../../src/cli/commands/rm.ts";
import { command as run } from "../../src/cli/commands/run.ts";
import { UsageError } from "../../src/cli/errors.ts";
import { HelpWanted, parseFlags } from "../../src/cli/flags.ts";

const flags: readonly Flag[] = [
  { name: "alpha", short: "a", kind: "bool", help: "" },
  { name: "beta", short: "b", kind: "bool", help: "" },
  { name: "count", short: "n", kind: "int", help: "" },
  { name: "item", short: "i", kind: "list", help: "" },
  { name: "text", short: "t", aliases: ["words"], kind: "string", help: "" },
];

function made(changes: Partial<Command> = {}): Command {
  return {
    name: "made",
    summary: "",
    usage: "",
    flags,
    args: { min: 0, max: 9 },
    interspersed: false,
    run: () => 0,
    ...changes,
  };
}

/** The error with which a command line is refused. */
function refused(command: Command, ...argv: string[]): UsageError {
  try {
    parseFlags(command, argv);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`${argv.join(" ")} was accepted`);
}

describe("long flags", () => {
  test.each(["-text", "--text", "-words", "--words"])(
    "%s takes its value with = or from the next word",
    (name) => {
      expect(parseFlags(made(), [`${name}=x=y`]).text("text")).toBe("x=y");
      expect(parseFlags(made(), [name, "x"]).text("text")).toBe("x");
      expect(parseFlags(made(), [`${name}=`]).text("text")).toBe("");
    },
  );

  test("a value may look like a flag, as in Docker", () => {
    expect(parseFlags(made(), ["--text", "--alpha"]).text("text")).toBe("--alpha");
  });

  test("the last of several values counts, lists add up in order", () => {
    const input = parseFlags(made(), ["-text", "1", "--text=2", "-i", "a", "--item=b", "-ic"]);
    expect(input.text("text")).toBe("2");
    expect(input.list("item")).toEqual(["a", "b", "c"]);
  });

  test("what was not given has no value", () => {
    const input = parseFlags(made(), []);
    expect([input.bool("alpha"), input.text("text"), input.int("count"), input.has("item")]).toEqual([
      false,
      undefined,
      undefined,
      false,
    ]);
    expect(input.list("item")).toEqual([]);
  });

  test.each([
    ["true", true],
    ["1", true],
    ["T", true],
    ["false", false],
    ["0", false],
    ["FALSE", false],
  ])("a boolean may be given as =%s", (word, value) => {
    expect(parseFlags(made(), [`--alpha=${word}`]).bool("alpha")).toBe(value);
    expect(parseFlags(made(), [`-a=${word}`]).bool("alpha")).toBe(value);
  });

  test("a boolean takes no word behind it", () => {
    expect(parseFlags(made(), ["--alpha", "false"]).args).toEqual(["false"]);
  });

  test("other words for a boolean are refused with 125", () => {
    const error = refused(made(), "--alpha=yes");
    expect(error.message).toContain('invalid value "yes" for --alpha');
    expect(error.exitCode).toBe(125);
  });

  test("whole numbers, negative ones too", () => {
    expect(parseFlags(made(), ["--count", "-1"]).int("count")).toBe(-1);
    expect(parseFlags(made(), ["-n5"]).int("count")).toBe(5);
  });

  test.each(["", "x", "1.5", "1e3", "0x", "99999999999999999999"])("%p is no whole number", (text) => {
    const error = refused(made(), `--count=${text}`);
    expect(error.message).toContain(`invalid value "${text}" for --count`);
    expect(error.exitCode).toBe(125);
  });
});

describe("short flags", () => {
  test("clusters", () => {
    const input = parseFlags(made(), ["-ab"]);
    expect(input.bool("alpha") && input.bool("beta")).toBe(true);
  });

  test.each([
    [["-abtX"], "X"],
    [["-abt", "X"], "X"],
    [["-abt=X"], "X"],
    [["-tab"], "ab"],
    [["-t", "-a"], "-a"],
  ])("the value of the last of a cluster: %p", (argv, value) => {
    expect(parseFlags(made(), argv).text("text")).toBe(value);
  });

  test("a long name with one dash wins over a cluster", () => {
    const command = made({ flags: [...flags, { name: "ab", kind: "bool", help: "" }] });
    const input = parseFlags(command, ["-ab"]);
    expect([input.has("ab"), input.has("alpha"), input.has("beta")]).toEqual([true, false, false]);
  });
});

describe("where the flags end", () => {
  test("at the first positional argument", () => {
    const input = parseFlags(made(), ["-a", "x", "-b", "--", "--unknown"]);
    expect(input.args).toEqual(["x", "-b", "--", "--unknown"]);
    expect(input.bool("beta")).toBe(false);
  });

  test("not at it for an interspersed command", () => {
    const input = parseFlags(made({ interspersed: true }), ["x", "-a", "y", "--text", "z", "w"]);
    expect(input.args).toEqual(["x", "y", "w"]);
    expect([input.bool("alpha"), input.text("text")]).toEqual([true, "z"]);
  });

  test.each([true, false])("at --, which is taken away (interspersed: %p)", (interspersed) => {
    const input = parseFlags(made({ interspersed }), ["-a", "--", "-b", "--", "x"]);
    expect(input.args).toEqual(["-b", "--", "x"]);
    expect(input.bool("beta")).toBe(false);
  });

  test("a single dash is an argument", () => {
    expect(parseFlags(made({ interspersed: true }), ["-", "-a"]).args).toEqual(["-"]);
  });
});

describe("help", () => {
  test.each([["--help"], ["-help"], ["-h"]])("%s asks for it, wherever flags may stand", (flag) => {
    expect(() => parseFlags(made(), [flag])).toThrow(HelpWanted);
    expect(() => parseFlags(rm, ["c1", flag])).toThrow(HelpWanted);
  });

  test("-h is run's host name", () => {
    expect(parseFlags(run, ["-h", "box", "busybox"]).text("hostname")).toBe("box");
    expect(() => parseFlags(run, ["--help"])).toThrow(HelpWanted);
  });

  test("behind the image --help is the program's", () => {
    expect(parseFlags(run, ["busybox", "ls", "--help"]).args).toEqual(["busybox", "ls", "--help"]);
  });
});

describe("what cannot be understood", () => {
  test("an unknown long flag, with the nearest one", () => {
    const error = refused(run, "--detatch", "busybox");
    expect(error.message).toBe("unknown flag: --detatch: did you mean --detach?");
    expect(error.exitCode).toBe(125);
  });

  test("an unknown long flag near none", () => {
    const { message } = refused(run, "--frobnicate=1", "busybox");
    expect(message).toStartWith("unknown flag: --frobnicate");
    expect(message).toContain("mydocker run --help");
    expect(message).not.toContain("did you mean");
  });

  test("a classic spelling with a slip", () => {
    expect(refused(run, "-nmae", "x", "busybox").message).toContain("did you mean --name?");
  });

  test("an unknown letter, alone and in a cluster", () => {
    for (const flag of ["-x", "-ix"]) {
      const error = refused(run, flag, "busybox");
      expect(error.message).toStartWith(`unknown shorthand flag: 'x' in ${flag}`);
      expect(error.exitCode).toBe(125);
    }
  });

  test.each([["--name"], ["-e"], ["-ite"], ["-name"]])("%s with its value missing", (flag) => {
    const error = refused(run, flag);
    expect(error.message).toStartWith("flag needs an argument: -");
    expect(error.exitCode).toBe(125);
  });
});

describe("how many arguments", () => {
  test.each([
    [{ min: 1, max: 1 }, [], "'mydocker made' requires exactly 1 argument"],
    [{ min: 2, max: 2 }, ["a"], "'mydocker made' requires exactly 2 arguments"],
    [{ min: 1, max: 9 }, [], "'mydocker made' requires at least 1 argument"],
    [{ min: 0, max: 1 }, ["a", "b"], "'mydocker made' requires at most 1 argument"],
    [{ min: 0, max: 0 }, ["a"], "'mydocker made' accepts no arguments"],
  ])("%p with %p", (args, argv, message) => {
    const error = refused(made({ args }), ...argv);
    expect(error.message).toStartWith(message);
    expect(error.exitCode).toBe(1);
  });

  test("a wrong flag is told before a wrong number", () => {
    expect(refused(run, "--nope").exitCode).toBe(125);
    expect(refused(run).exitCode).toBe(1);
    expect(refused(exec, "c1").exitCode).toBe(1);
    expect(refused(ps, "c1").exitCode).toBe(1);
  });
});

describe("run and exec", () => {
  test("the classic line", () => {
    const line =
      "-it -name c1 -m 64m -cpushare 512 -cpuset 0-1 -net host -v /a:/b -e A=1 busybox sh -c x -name y";
    const input = parseFlags(run, line.split(" "));
    expect(input.bool("interactive") && input.bool("tty")).toBe(true);
    expect(["name", "memory", "cpu-shares", "cpuset-cpus"].map((name) => input.text(name))).toEqual([
      "c1",
      "64m",
      "512",
      "0-1",
    ]);
    expect(input.list("network")).toEqual(["host"]);
    expect([input.list("volume"), input.list("env")]).toEqual([["/a:/b"], ["A=1"]]);
    expect(input.args).toEqual(["busybox", "sh", "-c", "x", "-name", "y"]);
  });

  test.each(["-it", "-ti", "-i -t", "--interactive --tty", "-interactive -tty", "-dit"])("%s", (line) => {
    const input = parseFlags(run, [...line.split(" "), "busybox"]);
    expect(input.bool("interactive") && input.bool("tty")).toBe(true);
    expect(input.bool("detach")).toBe(line.includes("d"));
  });

  test("values right behind their letters", () => {
    const input = parseFlags(run, [
      "-itv",
      "/a:/b",
      "-eK=V",
      "-e",
      "L",
      "-m64m",
      "-w/tmp",
      "-u=1:2",
      "busybox",
    ]);
    expect(input.list("volume")).toEqual(["/a:/b"]);
    expect(input.list("env")).toEqual(["K=V", "L"]);
    expect(["memory", "workdir", "user"].map((name) => input.text(name))).toEqual(["64m", "/tmp", "1:2"]);
  });

  test.each([
    ["-name", "name"],
    ["-cpushare", "cpu-shares"],
    ["-cpuset", "cpuset-cpus"],
    ["-cpus", "cpus"],
    ["-memory", "memory"],
  ])("the classic %s is no cluster", (flag, name) => {
    expect(parseFlags(run, [flag, "1", "busybox"]).text(name)).toBe("1");
    expect(parseFlags(run, [`${flag}=2`, "busybox"]).text(name)).toBe("2");
  });

  test("exec leaves the command's own flags alone", () => {
    const input = parseFlags(exec, ["-it", "-e", "A=1", "-w", "/", "c1", "ls", "-it", "--all"]);
    expect(input.args).toEqual(["c1", "ls", "-it", "--all"]);
    expect(input.text("workdir")).toBe("/");
  });

  test("rm takes -f on either side", () => {
    for (const argv of [
      ["-f", "c1"],
      ["c1", "-f"],
      ["c1", "--force"],
    ]) {
      const input = parseFlags(rm, argv);
      expect([input.bool("force"), ...input.args]).toEqual([true, "c1"]);
    }
  });
});
