import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { close, O } from "../../src/linux/file.ts";
import { openName } from "../../src/linux/tree.ts";
import { useVolume } from "../../src/volume/make.ts";
import {
  checkVolumeName,
  findVolume,
  listVolumes,
  NoSuchVolume,
  newVolumeName,
  readVolume,
  VolumePaths,
} from "../../src/volume/record.ts";
import { removeVolume, sweepVolumes, VolumeInUse } from "../../src/volume/remove.ts";

let paths: VolumePaths;
beforeEach(() => {
  paths = new VolumePaths(mkdtempSync(`${tmpdir()}/mydocker-volumes-`));
});
afterEach(() => rmSync(paths.root, { recursive: true }));

const plan = (name: string, fill?: (folder: number) => void) => ({
  name,
  labels: { a: "1" },
  durable: false,
  ...(fill && { fill }),
});
const nobody = (): string[] => [];
const writes =
  (...names: string[]) =>
  (folder: number): void => {
    for (const name of names) close(openName(folder, name, O.WRONLY | O.CREAT, 0o644));
  };

describe("names", () => {
  test.each(["ab", "a-b_c.d", "0x", "A1", "a".repeat(255), newVolumeName()])("%s", (name) =>
    checkVolumeName(name),
  );

  test.each(["", "a", ".a", "..", "-a", "a/b", "a b", "a\0b", "a\n", "é1", "a".repeat(256)])(
    "%p is none, and never a path",
    (name) => {
      expect(() => checkVolumeName(name)).toThrow("create ");
      expect(readVolume(paths, name)).toBeUndefined();
    },
  );
});

describe("a volume", () => {
  test("is made once, with its record, and found from then on", () => {
    const first = useVolume(paths, plan("vol"));
    const second = useVolume(paths, { ...plan("vol"), labels: { b: "2" } });
    expect([first.made, second.made]).toEqual([true, false]);
    expect(second.record).toEqual(first.record);
    for (const held of [first, second]) held.release();
    expect(findVolume(paths, "vol")).toEqual({
      name: "vol",
      created: expect.any(String),
      labels: { a: "1" },
    });
    expect(listVolumes(paths).map(({ name }) => name)).toEqual(["vol"]);
    expect(() => findVolume(paths, "vo")).toThrow(NoSuchVolume);
  });

  test("is filled while it is empty, and only then", () => {
    useVolume(paths, plan("vol", writes("a", "b"))).release();
    useVolume(paths, plan("vol", writes("c"))).release();
    expect(readdirSync(paths.data("vol")).sort()).toEqual(["a", "b"]);
    useVolume(paths, plan("empty")).release();
    useVolume(paths, plan("empty", writes("c"))).release();
    expect(readdirSync(paths.data("empty"))).toEqual(["c"]);
    expect(readdirSync(paths.volume("empty")).sort()).toEqual(["_data", "record.json"]);
  });

  test("that cannot be filled is not made, or stays as it was", () => {
    const fails = (folder: number): void => {
      writes("half")(folder);
      throw new Error("no space");
    };
    expect(() => useVolume(paths, plan("vol", fails))).toThrow("no space");
    expect(readdirSync(paths.volumes)).toEqual([]);
    useVolume(paths, plan("vol")).release();
    expect(() => useVolume(paths, plan("vol", fails))).toThrow("no space");
    expect(readdirSync(paths.volume("vol")).sort()).toEqual(["_data", "record.json"]);
    expect(readdirSync(paths.data("vol"))).toEqual([]);
  });

  test("that was being filled is filled before it is used, over nothing that is there", () => {
    useVolume(paths, plan("vol")).release();
    mkdirSync(`${paths.volume("vol")}/filling`, { mode: 0o750 });
    mkdirSync(`${paths.volume("vol")}/.staged`);
    for (const name of ["a", "b"]) writeFileSync(`${paths.volume("vol")}/filling/${name}`, "new");
    writeFileSync(`${paths.data("vol")}/a`, "mine");
    useVolume(paths, plan("vol", writes("c"))).release();
    expect(readdirSync(paths.data("vol")).sort()).toEqual(["a", "b"]);
    expect(readFileSync(`${paths.data("vol")}/a`, "utf8")).toBe("mine");
    expect(statSync(paths.data("vol")).mode & 0o777).toBe(0o750);
    expect(readdirSync(paths.volume("vol")).sort()).toEqual(["_data", "record.json"]);
  });

  test("is not removed while it is held, or somebody has it", () => {
    const held = useVolume(paths, plan("vol"));
    expect(() => removeVolume(paths, "vol", nobody, 0)).toThrow(VolumeInUse);
    held.release();
    expect(() => removeVolume(paths, "vol", () => ["1", "2"])).toThrow("volume is in use - [1, 2]");
    removeVolume(paths, "vol", nobody);
    expect(readdirSync(paths.volumes)).toEqual([]);
    expect(() => removeVolume(paths, "vol", nobody)).toThrow(NoSuchVolume);
  });

  test("without its record, or with one that says anything, is one without labels", () => {
    for (const text of [
      "",
      "{",
      "null",
      "[]",
      '{"created":1}',
      '{"created":"x","labels":[1]}',
      '{"labels":null}',
    ]) {
      mkdirSync(paths.data("vol"), { recursive: true });
      writeFileSync(paths.record("vol"), text);
      expect(readVolume(paths, "vol")).toMatchObject({ name: "vol", labels: {} });
    }
    rmSync(paths.record("vol"));
    mkdirSync(paths.record("vol"));
    expect(readVolume(paths, "vol")).toMatchObject({ name: "vol", labels: {} });
  });

  test("what is something else is not taken for one", () => {
    mkdirSync(paths.volumes, { recursive: true });
    writeFileSync(paths.volume("file"), "");
    mkdirSync(paths.volume("folder"));
    for (const name of ["file", "folder"])
      expect(() => useVolume(paths, plan(name))).toThrow("is no volume: remove it");
    expect(listVolumes(paths)).toEqual([]);
    expect(() => removeVolume(paths, "folder", nobody)).toThrow(NoSuchVolume);
  });
});

test("what was left by those who were killed is swept away, and nothing else", () => {
  useVolume(paths, plan("vol")).release();
  for (const name of [".new-1", ".gone-2", ".other"])
    mkdirSync(`${paths.volumes}/${name}/_data`, { recursive: true });
  sweepVolumes(paths);
  expect(readdirSync(paths.volumes).sort()).toEqual([".other", "vol"]);
  expect(listVolumes(paths).map(({ name }) => name)).toEqual(["vol"]);
  expect(existsSync(paths.data("vol"))).toBe(true);
});
