/**
 * The layers of src, held as data (DESIGN, "Layout"): `cli → container → (image, network, volume) → runtime → linux`.
 * An import that breaks a rule is printed as `file imports file: rule`.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const SRC = new URL("../src/", import.meta.url).pathname;

/** What each room may import besides itself; `.` is src/main.ts, which nobody imports. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ".": ["cli", "linux"],
  cli: ["container", "image", "network", "volume", "runtime", "linux"],
  container: ["image", "network", "volume", "runtime", "linux"],
  image: ["runtime", "linux"],
  network: ["runtime", "linux"],
  volume: ["linux"],
  runtime: ["linux"],
  linux: [],
};
/** The only rooms that may use a module from outside. */
const ONLY_IN: Readonly<Record<string, readonly string[]>> = { "bun:ffi": ["linux"] };
const LONGEST = 400;

interface Import {
  readonly from: string;
  /** A path below src where it is one of ours (a built file keeps its dots), else the module's name. */
  readonly to: string;
  /** Whether nothing is left of it at run time. */
  readonly typeOnly: boolean;
}

const STATEMENT = /^\s*(?:import|export)\s+(?<type>type\s)?[^"';]*?from\s+"(?<from>[^"]+)"/gm;
const BARE = /^\s*import\s+"([^"]+)"/gm;
const DYNAMIC = /\b(?:import|require)\(\s*["'`]([^"'`]+)["'`]\s*\)/g;

/** Every import of a source text, static, re-exporting, dynamic, or for its effects. */
function importsOf(file: string, text: string): Import[] {
  const resolve = (name: string): string =>
    name.startsWith(".") ? normalize(join(dirname(file), name)) : name;
  const found: Import[] = [];
  for (const { groups } of text.matchAll(STATEMENT))
    found.push({ from: file, to: resolve(groups?.from ?? ""), typeOnly: groups?.type !== undefined });
  for (const pattern of [BARE, DYNAMIC])
    for (const [, name = ""] of text.matchAll(pattern))
      found.push({ from: file, to: resolve(name), typeOnly: false });
  return found;
}

function roomOf(file: string): string {
  return file.includes("/") ? (file.split("/")[0] ?? "") : ".";
}

function isOurs(path: string): boolean {
  return path.endsWith(".ts") && !path.startsWith("../");
}

/** Each import that the table forbids, as the line to print. */
function offences(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, to }) => {
    const room = roomOf(from);
    const only = ONLY_IN[to];
    if (only && !only.includes(room)) return [`${from} imports ${to}: only ${only.join(", ")} may`];
    if (!isOurs(to)) return [];
    const target = roomOf(to);
    if (target === room && room !== ".") return [];
    if (target === "." || !MAY_IMPORT[room]?.includes(target))
      return [`${from} imports ${to}: ${room} may not`];
    return [];
  });
}

/** Import cycles as `a → b → a`; an import of types alone makes none. */
function cycles(imports: readonly Import[]): string[] {
  const graph = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports)
    if (isOurs(to) && !typeOnly) graph.set(from, [...(graph.get(from) ?? []), to]);
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.add([...path.slice(at), file].join(" → "));
    if (at >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return [...found];
}

const files = [...new Bun.Glob("**/*.ts").scanSync(SRC)].sort();
const imports = files.flatMap((file) => importsOf(file, readFileSync(SRC + file, "utf8")));

describe("the layers of src", () => {
  test("every file lies in a room of the table", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => MAY_IMPORT[roomOf(file)] === undefined)).toEqual([]);
  });

  test("every relative import leads to a file", () => {
    const known = new Set(files);
    expect(imports.filter(({ to }) => isOurs(to) && !known.has(to))).toEqual([]);
  });

  test("imports go down the table only", () => expect(offences(imports)).toEqual([]));

  test("there are no cycles", () => expect(cycles(imports)).toEqual([]));

  test(`no file is longer than ${LONGEST} lines`, () => {
    const folders = ["src", "test", "bench", "csrc"].map((name) => `${SRC}../${name}/`);
    const long = folders.flatMap((folder) =>
      [...new Bun.Glob("**/*.{ts,c,h}").scanSync(folder)]
        .map((file) => ({ file, lines: readFileSync(folder + file, "utf8").split("\n").length - 1 }))
        .filter(({ lines }) => lines > LONGEST),
    );
    expect(long).toEqual([]);
  });
});

describe("the test of the layers", () => {
  const check = (from: string, text: string): string[] => offences(importsOf(from, text));

  test("finds every kind of import", () => {
    expect(check("image/a.ts", 'import { x } from "../network/b.ts";')).toHaveLength(1);
    expect(check("network/a.ts", 'import type { X } from "../image/b.ts";')).toHaveLength(1);
    expect(check("runtime/cgroup/a.ts", 'export * from "../../container/b.ts";')).toHaveLength(1);
    expect(check("linux/a.ts", 'const x = await import("../cli/b.ts");')).toHaveLength(1);
    expect(check("cli/commands/a.ts", 'import "../../main.ts";')).toHaveLength(1);
    expect(check("cli/a.ts", 'import {\n  a,\n  b,\n} from "bun:ffi";')).toHaveLength(1);
    expect(check("container/a.ts", 'import { x } from "../image/b.ts";')).toEqual([]);
  });

  test("finds cycles, but not of types", () => {
    const pair = (type: string): Import[] => [
      ...importsOf("linux/a.ts", 'import { b } from "./b.ts";'),
      ...importsOf("linux/b.ts", `import ${type}{ a } from "./a.ts";`),
    ];
    expect(cycles(pair(""))).toEqual(["linux/a.ts → linux/b.ts → linux/a.ts"]);
    expect(cycles(pair("type "))).toEqual([]);
  });
});
