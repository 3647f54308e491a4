import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { close, mkdir, O, open, openAt, symlink, writeFile } from "../../src/linux/file.ts";
import { listFolder, removeTree } from "../../src/linux/folder.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(`${tmpdir()}/mydocker-tree-`);
});
afterEach(() => {
  // rm of coreutils: it can take off what a failing removeTree leaves
  Bun.spawnSync(["rm", "-rf", base]);
});

/** Folders within each other, each with a file and a link; the path is far longer than PATH_MAX. */
function makeDeep(path: string, levels: number): void {
  mkdirSync(path);
  let fd = open(path, O.RDONLY | O.DIRECTORY);
  for (let level = 0; level < levels; level++) {
    writeFile("file", "x", 0o600, fd);
    symlink("..", "link", fd);
    mkdir("folder", 0o700, fd);
    const inner = openAt(fd, "folder", O.RDONLY | O.DIRECTORY);
    close(fd);
    fd = inner;
  }
  close(fd);
}

/** Descriptors that are still open on something below the test's folder. */
function openBelow(): string[] {
  return readdirSync("/proc/self/fd")
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    })
    .filter((target) => target.startsWith(base));
}

describe("removeTree", () => {
  test("a file, a link, an empty folder, nothing", () => {
    writeFileSync(`${base}/file`, "x");
    symlinkSync("file", `${base}/link`);
    mkdirSync(`${base}/empty`);
    for (const name of ["link", "empty", "missing"]) removeTree(`${base}/${name}`);
    expect(readdirSync(base)).toEqual(["file"]);
    removeTree(`${base}/file`);
    expect(readdirSync(base)).toEqual([]);
  });

  test.each([1, 63, 64, 65, 100])("%d levels", (levels) => {
    makeDeep(`${base}/tree`, levels);
    removeTree(`${base}/tree`);
    expect(readdirSync(base)).toEqual([]);
    expect(openBelow()).toEqual([]);
  });

  test.each([130, 200, 3000])(
    "%d levels, deeper than it goes at once",
    (levels) => {
      makeDeep(`${base}/tree`, levels);
      removeTree(`${base}/tree`);
      expect(readdirSync(base)).toEqual([]);
    },
    30_000,
  );

  test("two deep trees side by side", () => {
    mkdirSync(`${base}/tree`);
    makeDeep(`${base}/tree/a`, 100);
    makeDeep(`${base}/tree/b`, 100);
    removeTree(`${base}/tree`);
    expect(readdirSync(base)).toEqual([]);
  });

  test("a container that uses the name under which deep folders are moved up", () => {
    mkdirSync(`${base}/tree`);
    makeDeep(`${base}/tree/.mydocker-deep-0`, 70);
    removeTree(`${base}/tree`);
    expect(readdirSync(base)).toEqual([]);
  });

  test("names that are not UTF-8", () => {
    mkdirSync(`${base}/tree`);
    const made = Bun.spawnSync([
      "bash",
      "-c",
      `cd '${base}/tree' && mkdir $'\\xff\\xfe' && touch $'\\xff\\xfe/\\x80' $'\\xc3' $'\\xed\\xa0\\x80' && ln -s / $'\\xe9'`,
    ]);
    expect(made.exitCode).toBe(0);
    expect(listFolder(`${base}/tree`).length).toBe(4);
    removeTree(`${base}/tree`);
    expect(readdirSync(base)).toEqual([]);
  });

  test("links are removed, never followed", () => {
    mkdirSync(`${base}/outside`);
    writeFileSync(`${base}/outside/kept`, "x");
    mkdirSync(`${base}/tree/in`, { recursive: true });
    symlinkSync(`${base}/outside`, `${base}/tree/absolute`);
    symlinkSync("../../outside", `${base}/tree/in/relative`);
    symlinkSync("loop", `${base}/tree/loop`);
    removeTree(`${base}/tree`);
    expect(readFileSync(`${base}/outside/kept`, "utf8")).toBe("x");
    symlinkSync("outside", `${base}/top`);
    removeTree(`${base}/top`);
    expect(readdirSync(base)).toEqual(["outside"]);
    expect(existsSync(`${base}/outside/kept`)).toBe(true);
  });

  test("a wide folder", () => {
    mkdirSync(`${base}/tree`);
    for (let index = 0; index < 5000; index++) writeFileSync(`${base}/tree/a-rather-long-name-${index}`, "");
    expect(listFolder(`${base}/tree`).length).toBe(5000);
    removeTree(`${base}/tree`);
    expect(readdirSync(base)).toEqual([]);
  });

  test("below an open folder", () => {
    mkdirSync(`${base}/a/b`, { recursive: true });
    const fd = open(base, O.RDONLY | O.DIRECTORY);
    removeTree("a", fd);
    close(fd);
    expect(readdirSync(base)).toEqual([]);
  });
});

describe("listFolder", () => {
  test("is empty where there is no folder, and has neither . nor ..", () => {
    expect(listFolder(`${base}/missing`)).toEqual([]);
    expect(listFolder(base)).toEqual([]);
    writeFileSync(`${base}/x`, "");
    expect(listFolder(base).map(({ name, type }) => [name, type])).toEqual([["x", 8]]);
    expect(() => listFolder(`${base}/x`)).toThrow("ENOTDIR");
    rmSync(`${base}/x`);
  });
});
