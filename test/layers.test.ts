import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

/** DESIGN, "Layout": what each room of src may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli", "container", "image", "network", "runtime", "linux"],
  cli: ["container", "image", "network", "runtime", "linux"],
  container: ["image", "network", "runtime", "linux"],
  image: ["runtime", "linux"],
  network: ["runtime", "linux"],
  runtime: ["linux"],
  linux: [],
};
const LONGEST = 400;

const top = resolve(import.meta.dir, "..");
const src = `${top}/src`;
const files = [...new Bun.Glob("**/*.ts").scanSync(src)].sort();
const textOf = (file: string): string => readFileSync(`${src}/${file}`, "utf8");

interface Import {
  readonly from: string;
  /** A file of src, or the name of a package. */
  readonly to: string;
  /** Done when the code is reached, not when the file is loaded. */
  readonly late: boolean;
}

/** Code without comments and with its strings, which is enough to find imports. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

function importsOf(file: string): Import[] {
  const text = withoutComments(textOf(file));
  const found = (pattern: RegExp, late: boolean): Import[] =>
    [...text.matchAll(pattern)].map(([, name = ""]) => ({
      from: file,
      to: name.startsWith(".") ? relative(src, resolve(src, dirname(file), name)) : name,
      late,
    }));
  return [
    ...found(/^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"/gm, false),
    ...found(/^import\s+"([^"]+)"/gm, false),
    ...found(/\bimport\(\s*"([^"]+)"\s*\)/g, true),
  ];
}

const imports = files.flatMap(importsOf);
const roomOf = (file: string): string => file.split("/")[0] ?? "";
const shown = ({ from, to }: Import): string => `src/${from} imports ${to}`;
const isOurs = ({ to }: Import): boolean => files.includes(to);

describe("layers", () => {
  test("every file lies in a room", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => !Object.hasOwn(MAY_IMPORT, roomOf(file)))).toEqual([]);
  });

  test("imports go down only", () => {
    const wrong = imports.filter((one) => {
      const [from, to] = [roomOf(one.from), roomOf(one.to)];
      return isOurs(one) && from !== to && !MAY_IMPORT[from]?.includes(to);
    });
    expect(wrong.map(shown)).toEqual([]);
  });

  test("an import that begins with a dot leads to a file of src, or to what the build puts in", () => {
    const outside = imports.filter(({ to }) => to.startsWith(".."));
    expect(outside.filter(({ to }) => !/^\.\.\/(build|dist)\/|package\.json$/.test(to)).map(shown)).toEqual(
      [],
    );
  });

  test("bun:ffi only in src/linux", () => {
    const wrong = imports.filter(({ from, to }) => to === "bun:ffi" && roomOf(from) !== "linux");
    expect(wrong.map(shown)).toEqual([]);
    expect(imports.some(({ to }) => to === "bun:ffi")).toBe(true);
  });

  test("no cycles", () => {
    const next = new Map<string, string[]>();
    for (const one of imports)
      if (isOurs(one) && !one.late) next.set(one.from, [...(next.get(one.from) ?? []), one.to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, way: readonly string[]): void => {
      const seen = way.indexOf(file);
      if (seen >= 0) cycles.push([...way.slice(seen), file].join(" -> "));
      if (seen >= 0 || done.has(file)) return;
      for (const to of next.get(file) ?? []) visit(to, [...way, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("what the test sees: it finds imports of several lines and late ones", () => {
    expect(imports.some(({ from, to }) => from === "container/create.ts" && to === "container/spec.ts")).toBe(
      true,
    );
    expect(
      imports.some(
        ({ from, to, late }) => from === "cli/registry.ts" && to === "cli/commands/run.ts" && late,
      ),
    ).toBe(true);
  });
});

describe("house rules", () => {
  test(`no source over ${LONGEST} lines`, () => {
    const all = [
      ...files.map((file) => `src/${file}`),
      ...[...new Bun.Glob("csrc/*.{c,h}").scanSync(top)].sort(),
    ];
    const long = all.filter(
      (file) => readFileSync(`${top}/${file}`, "utf8").split("\n").length - 1 > LONGEST,
    );
    expect(long).toEqual([]);
  });

  test("no any, no default exports, nothing that silences the compiler or the linter", () => {
    const banned =
      /:\s*any\b|\bas any\b|<any\b|\bany\[\]|^export default\b|@ts-(ignore|nocheck|expect-error)|biome-ignore/;
    // a declaration of how the bundler hands out a file is not ours to choose
    const ours = files.filter((file) => !file.endsWith(".d.ts"));
    const wrong = ours.flatMap((file) =>
      textOf(file)
        .split("\n")
        .flatMap((line, index) => {
          const code = line.replace(/^\s*(\*|\/\*\*|\/\/(?! @ts| biome)).*/, "");
          return banned.test(code) ? [`src/${file}:${index + 1}: ${line.trim()}`] : [];
        }),
    );
    expect(wrong).toEqual([]);
  });
});
