import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { AT_FDCWD } from "../../../src/linux/file.ts";
import { readXattrs } from "../../../src/linux/xattr.ts";
import { inFolder, isRoot, members, type Part, tarOf } from "../support.ts";
import { allNames, layerAt } from "./layer-support.ts";

const OPAQUE = "trusted.overlay.opaque";

/** What a layer's folder holds: `wh` for a whiteout, `opaque` for such a folder, else its kind. */
function look(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of allNames(folder)) {
    const stat = lstatSync(`${folder}/${name}`);
    const opaque = new Map(readXattrs([AT_FDCWD, `${folder}/${name}`])).get(OPAQUE) === "y";
    if (stat.isCharacterDevice() && stat.rdev === 0) found[name] = "wh";
    else if (stat.isDirectory()) found[name] = opaque ? "opaque" : "folder";
    else found[name] = stat.isFile() ? "file" : "other";
  }
  return found;
}

async function layer(...parts: readonly Part[]): Promise<Record<string, string>> {
  return await inFolder(async (folder) => {
    await layerAt(`${folder}/l`, tarOf(...parts));
    return look(`${folder}/l`);
  });
}

async function refused(...parts: readonly Part[]): Promise<string> {
  try {
    await layer(...parts);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  throw new Error("it was unpacked");
}

const d = (name: string): Part => ({ name, type: "5", mode: 0o755 });
const f = (name: string): Part => ({ name, data: "x" });

/** Every order of some members. */
function orders<T>(of: readonly T[]): T[][] {
  if (of.length === 0) return [[]];
  return of.flatMap((one, i) => orders(of.toSpliced(i, 1)).map((rest) => [one, ...rest]));
}

describe.skipIf(!isRoot)("whiteouts", () => {
  test("become character devices 0:0, and opaque folders an extended attribute", async () => {
    expect(await layer(d("d/"), f("d/.wh.gone"), f(".wh.top"), d("o/"), f("o/.wh..wh..opq"))).toEqual({
      d: "folder",
      "d/gone": "wh",
      o: "opaque",
      top: "wh",
    });
  });

  test.each<[string, Part[], Record<string, string>]>([
    ["a file of the same name stays", [f("a"), f(".wh.a")], { a: "file" }],
    ["a folder stays, opaque", [d("a/"), f("a/b"), f(".wh.a")], { a: "opaque", "a/b": "file" }],
    ["a folder that only has members, too", [f("a/b"), f(".wh.a")], { a: "opaque", "a/b": "file" }],
    ["one in an opaque folder says nothing", [d("a/"), f("a/.wh..wh..opq"), f("a/.wh.b")], { a: "opaque" }],
    ["one below a whiteout says nothing", [f(".wh.a"), f("a/.wh.b"), f("a/.wh..wh..opq")], { a: "wh" }],
    ["one below a file says nothing", [f("a"), f("a/.wh.b"), f("a/.wh..wh..opq")], { a: "file" }],
    ["an opaque folder that has no member", [f("a/.wh..wh..opq"), f("a/b")], { a: "opaque", "a/b": "file" }],
    ["of a thing within a new folder", [f("n/m/.wh.b")], { n: "folder", "n/m": "folder", "n/m/b": "wh" }],
    ["the same twice", [f(".wh.a"), f(".wh.a"), f("./.wh.a")], { a: "wh" }],
  ])("%s, in any order", async (_, parts, expected) => {
    for (const order of orders(parts)) {
      // a file's own folder must come before it, and is no question of whiteouts
      expect(await layer(...order)).toEqual(expected);
    }
  });

  test("aufs's own names are skipped, with what lies in them", async () => {
    const plnk = { name: ".wh..wh.plnk/1.2", data: "y".repeat(2000) };
    expect(await layer(f("a"), d(".wh..wh.plnk/"), plnk, d(".wh..wh.orph/"), f(".wh..wh.aufs"))).toEqual({
      a: "file",
    });
  });

  test.each([".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh...", ".wh./x", ".wh../x", ".wh.b/x", "a/.wh.b/c/d"])(
    "%s is refused",
    async (name) => {
      expect(await refused(f(name))).toMatch(
        /^ArchiveError: .* is no whiteout, and no other name may begin so$/,
      );
    },
  );

  test("a whiteout is nothing that a hard link can lead to", async () => {
    expect(await refused(f(".wh.a"), { name: "b", type: "1", link: "a" })).toContain("is not there");
    expect(await refused(f(".wh.a"), { name: "b", type: "1", link: ".wh.a" })).toContain("is not there");
  });

  test("a device 0:0 makes none, and a forged extended attribute neither", async () => {
    const forged: Part[] = [
      { name: "a", type: "3", major: 0, minor: 0 },
      { ...d("o/"), xattrs: [[OPAQUE, "y"]] },
      { name: "n", type: "3", major: 0, minor: 1 },
      { name: "b", type: "4", major: 0, minor: 0 },
    ];
    expect(await layer(...forged)).toEqual({ o: "folder", n: "other", b: "other" });
  });

  test("the root can be opaque", async () => {
    await inFolder(async (folder) => {
      const { whiteouts } = await layerAt(`${folder}/l`, tarOf(f(".wh..wh..opq"), f(".wh.a"), f("b")));
      expect(Object.fromEntries(readXattrs([AT_FDCWD, `${folder}/l`]))[OPAQUE]).toBe("y");
      expect(whiteouts).toEqual([]);
    });
  });
});

describe.skipIf(!isRoot)("a layer", () => {
  test("tells its implicit folders and its whiteouts, and survives JSON", async () => {
    await inFolder(async (folder) => {
      const tar = tarOf(
        f("a/b/c"),
        d("a/b/"),
        f("x/\xff/.wh.\xfe"),
        f("o/p/q"),
        f("o/.wh..wh..opq"),
        f("r/s"),
        f(".wh.r"),
      );
      const result = await layerAt(`${folder}/l`, tar);
      expect(JSON.parse(JSON.stringify(result))).toEqual(result);
      expect([...result.implicit].sort()).toEqual(["", "a", "o", "x", "x/\xff"]);
      expect(result.whiteouts).toEqual(["x/\xff/\xfe"]);
      expect(result.newest).toBe("1700000000000000000");
      // whiteouts have content here, too, but it is not written
      expect(result.size).toBe(3);
    });
  });

  test("may be empty, and lack its end", async () => {
    await inFolder(async (folder) => {
      expect((await layerAt(`${folder}/a`, tarOf())).members).toBe(0);
      expect((await layerAt(`${folder}/b`, Buffer.alloc(0))).implicit).toEqual([""]);
      expect((await layerAt(`${folder}/c`, members(f("a")))).members).toBe(1);
      const whole = tarOf({ name: "a", data: "0123456789" });
      for (const size of [512, 521])
        expect(layerAt(`${folder}/${size}`, whole.subarray(0, size))).rejects.toThrow("cut short");
      // umoci's last block is not filled
      for (const size of [522, 523, 1023, 1024]) {
        expect((await layerAt(`${folder}/${size}`, whole.subarray(0, size))).size).toBe(10);
        expect(readFileSync(`${folder}/${size}/a`, "utf8")).toBe("0123456789");
      }
    });
  });

  test("absolute names, and links of its own, count from its root", async () => {
    await inFolder(async (folder) => {
      const tar = tarOf(
        d("/usr/"),
        { name: "/lib", type: "2", link: "/usr/lib" },
        d("usr/lib/"),
        f("lib/a/b"),
        { name: "//c", type: "1", link: "/usr/lib/a/b" },
        { name: "up", type: "2", link: "../../usr" },
        f("up/d"),
        f("lib/.wh.w"),
      );
      const { implicit, whiteouts } = await layerAt(`${folder}/l`, tar);
      expect(readFileSync(`${folder}/l/usr/lib/a/b`, "utf8")).toBe("x");
      expect(lstatSync(`${folder}/l/c`).nlink).toBe(2);
      expect(existsSync(`${folder}/l/usr/d`)).toBe(true);
      expect(implicit).toEqual(["", "usr/lib/a"]);
      expect(whiteouts).toEqual(["usr/lib/w"]);
    });
  });

  test("its implicit folders do not take after one with the set-group-ID bit, and no default ACL is handed on", async () => {
    await inFolder(async (folder) => {
      // POSIX ACL version 2: user::rwx, user:7:rwx, group::r-x, mask::rwx, other::r-x
      const acl = Buffer.from(
        "0200000001000700ffffffff020007000700000004000500ffffffff10000700ffffffff20000500ffffffff",
        "hex",
      ).toString("latin1");
      const xattrs = [["system.posix_acl_default", acl]] as const;
      const top = { ...d("d/"), mode: 0o2775, gid: 9, xattrs };
      await layerAt(`${folder}/l`, tarOf(top, f("d/e/f")));
      const e = lstatSync(`${folder}/l/d/e`);
      expect([e.mode & 0o7777, e.gid]).toEqual([0o755, 0]);
      expect(readXattrs([AT_FDCWD, `${folder}/l/d`])).toEqual([["system.posix_acl_default", acl]]);
      expect(readXattrs([AT_FDCWD, `${folder}/l/d/e`])).toEqual([]);
      expect(readXattrs([AT_FDCWD, `${folder}/l/d/e/f`])).toEqual([]);
    });
  });
});
