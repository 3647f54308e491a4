import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { command as rm } from "../../src/cli/commands/rm.ts";
import { command as run } from "../../src/cli/commands/run.ts";
import { completionScript } from "../../src/cli/completion.ts";
import { formatRows } from "../../src/cli/format.ts";
import { GROUPS } from "../../src/cli/groups.ts";
import { renderHelp, renderOverview } from "../../src/cli/help.ts";
import { allCommands } from "../../src/cli/registry.ts";
import { renderTable } from "../../src/cli/table.ts";

const headers = { ID: "CONTAINER ID", Names: "NAMES", Size: "SIZE" };
const rows = [
  { ID: "1", Names: "first", Size: 10 },
  { ID: "234567890123456", Names: "b", Size: 2 },
];

describe("tables", () => {
  test("columns as wide as their widest cell and three blanks; the last is not padded", () => {
    expect(
      renderTable(
        ["A", "LONG", "C"],
        [
          ["wide", "x", "y"],
          ["", "z", ""],
        ],
      ),
    ).toBe("A      LONG   C\nwide   x      y\n       z      \n");
    expect(renderTable(["A", "B"], [])).toBe("A   B\n");
  });
});

describe("--format", () => {
  test("json is an object a line", () => {
    expect(formatRows("json", headers, rows)).toBe(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    expect(formatRows("json", headers, [])).toBe("");
  });

  test("a template is a line a row, with \\t and \\n as Docker reads them", () => {
    expect(formatRows("{{.Names}}\\t{{.ID}}", headers, rows)).toBe("first\t1\nb\t234567890123456\n");
    expect(formatRows("{{.Names}}\\n", headers, rows)).toBe("first\n\nb\n\n");
    expect(formatRows("{{json .}}", headers, rows)).toBe(formatRows("json", headers, rows));
  });

  test("table has Docker's headers", () => {
    expect(formatRows("table {{.ID}}\t{{.Names}}", headers, rows)).toBe(
      "CONTAINER ID      NAMES\n1                 first\n234567890123456   b\n",
    );
    expect(formatRows("table {{.ID}}\\t{{.Size}}", headers, [])).toBe("CONTAINER ID   SIZE\n");
  });

  test("a field that is none fails before anything is printed", () => {
    expect(() => formatRows("table {{.Nope}}", headers, [])).toThrow("Nope");
    expect(() => formatRows("{{.Nope", headers, [])).toThrow("unclosed");
  });

  test("functions leave Docker's headers alone", () => {
    expect(formatRows("table {{truncate .ID 3}}\t{{json .Names}}\t{{lower .Names}}", headers, [])).toBe(
      "CONTAINER ID   NAMES     NAMES\n",
    );
  });

  test("table alone is the default table, not empty lines", () => {
    expect(formatRows("table", headers, rows)).toContain("CONTAINER ID");
  });
});

describe("help", () => {
  test("names the usage, every flag with its short one, and the examples", async () => {
    const text = await renderHelp(run);
    expect(text).toStartWith("Usage:  mydocker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n");
    for (const { name, short, help } of run.flags) {
      expect(text).toContain(`--${name}`);
      expect(text).toContain(help);
      if (short !== undefined) expect(text).toContain(`-${short}`);
    }
    for (const example of run.examples ?? []) expect(text).toContain(example);
    expect(text).not.toContain("\u001b");
  });

  test("every command can be explained, and the overview has them all", async () => {
    const commands = await allCommands();
    const overview = await renderOverview(commands);
    for (const command of commands) {
      expect(await renderHelp(command)).toContain(command.summary);
      expect(overview).toContain(command.summary);
      expect(overview).toMatch(new RegExp(`\\b${command.name}\\b`));
    }
    expect(overview).not.toContain("__reap");
  });

  test("the tables of flags are sound: no name or letter twice", async () => {
    for (const command of await allCommands()) {
      const names = command.flags.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);
      const letters = command.flags.flatMap(({ short }) => (short === undefined ? [] : [short]));
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(letters).size).toBe(letters.length);
      expect(letters.every((letter) => letter.length === 1)).toBe(true);
      expect(names).not.toContain("help");
    }
    expect(rm.interspersed).toBe(true);
    expect(run.interspersed).toBe(false);
  });
});

describe("completion", () => {
  const made = allCommands().then((commands) => completionScript("bash", commands));

  /** What bash offers for the last of the words. */
  async function offered(...words: readonly string[]): Promise<string[]> {
    const folder = mkdtempSync(`${tmpdir()}/mydocker-completion-`);
    try {
      writeFileSync(`${folder}/script`, await made);
      const quoted = words.map((word) => `'${word}'`).join(" ");
      const program = `
        mydocker() { case "$1" in ps) printf '%s\\n' web db ;; images) printf '%s\\n' busybox alpine ;; volume) printf '%s\\n' data ;; esac; }
        source ${folder}/script
        COMP_WORDS=(mydocker ${quoted}); COMP_CWORD=${words.length}
        _mydocker
        printf '%s\\n' "\${COMPREPLY[@]}"`;
      const child = Bun.spawn(["bash", "-c", program], { stderr: "pipe" });
      const text = await new Response(child.stdout).text();
      expect(await new Response(child.stderr).text()).toBe("");
      return text.split("\n").filter((line) => line !== "");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  test.each(["bash", "zsh"] as const)("bash can read the script for %s", async (shell) => {
    const script = completionScript(shell, await allCommands());
    const child = Bun.spawn(["bash", "-n"], { stdin: new Blob([script]), stderr: "pipe" });
    expect(await new Response(child.stderr).text()).toBe("");
    expect(await child.exited).toBe(0);
  });

  test("commands", async () => {
    const names = (await allCommands()).map(({ name }) => name).filter((name) => !name.includes(" "));
    expect((await offered("")).sort()).toEqual([...names, ...Object.keys(GROUPS)].sort());
    expect(await offered("image", "pru")).toEqual(["prune"]);
    expect((await offered("re")).sort()).toEqual(["restart"]);
    expect((await offered("in")).sort()).toEqual(["info", "inspect"]);
  });

  test("flags of the command", async () => {
    expect(await offered("run", "--det")).toEqual(["--detach"]);
    expect(await offered("rm", "--")).toEqual(["--force", "--volumes", "--help"]);
    const flags = await offered("run", "--");
    for (const { name } of run.flags) expect(flags).toContain(`--${name}`);
  });

  test("containers, images, volumes, commands", async () => {
    expect(await offered("rm", "")).toEqual(["web", "db"]);
    expect(await offered("exec", "-it", "w")).toEqual(["web"]);
    expect(await offered("run", "-d", "b")).toEqual(["busybox"]);
    expect(await offered("help", "ver")).toEqual(["version"]);
    expect(await offered("volume", "i")).toEqual(["inspect"]);
    for (const word of ["inspect", "rm", "remove"])
      expect(await offered("volume", word, "")).toEqual(["data"]);
    expect(await offered("volume", "create", "da")).toEqual([]);
  });

  test("nothing for an unknown command", async () => {
    expect(await offered("nope", "")).toEqual([]);
  });

  test("flags written with one dash are completed too", async () => {
    expect(await offered("run", "-det")).toEqual(["-detach"]);
  });

  test("options before the command do not hide it", async () => {
    expect(await offered("--root", "/r", "rm", "w")).toEqual(["web"]);
  });

  test("fish has a line for each command and flag, with its quotes escaped", async () => {
    const commands = (await allCommands()).filter(({ name }) => !name.includes(" "));
    const script = completionScript("fish", await allCommands());
    for (const group of Object.keys(GROUPS))
      expect(script).toContain(`__fish_seen_subcommand_from ${group}'`);
    for (const { name, flags } of commands) {
      expect(script).toContain(`-a ${name} -d `);
      for (const flag of flags) expect(script).toContain(`-l ${flag.name}`);
    }
    expect(script).toContain("caller\\'s");
  });
});
