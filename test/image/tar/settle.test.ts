import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { settleLayer } from "../../../src/image/tar/settle.ts";
import { AT_FDCWD } from "../../../src/linux/file.ts";
import { readXattrs } from "../../../src/linux/xattr.ts";
import { inFolder, isRoot, type Part, tarOf } from "../support.ts";
import { allNames, layersIn, merged, withFolders } from "./layer-support.ts";

const d = (name: string, more: Partial<Part> = {}): Part => ({ name, type: "5", mode: 0o755, ...more });
const f = (name: string): Part => ({ name, data: "x" });

/** All names below the merged layers (the bottom one first), and what `look` sees there. */
async function view<T>(layers: readonly Part[][], look: (root: string) => T): Promise<T> {
  return await inFolder(async (folder) => {
    const paths = await layersIn(
      folder,
      layers.map((parts) => tarOf(...parts)),
    );
    return await merged(folder, paths, look);
  });
}

const names = (root: string): string[] => allNames(root);

const OLD = 1_234_567_890_123_456_789n;
const special = { mode: 0o3751, uid: 5, gid: 6, mtime: OLD, xattrs: [["user.x", "1"]] as const };

function describeFolder(path: string): unknown {
  const { mode, uid, gid, mtimeNs } = lstatSync(path, { bigint: true });
  return {
    mode: Number(mode & 0o7777n),
    uid: Number(uid),
    gid: Number(gid),
    mtime: mtimeNs,
    xattrs: readXattrs([AT_FDCWD, path]),
  };
}

describe.skipIf(!isRoot)("folders without a member", () => {
  test("take after the layer below, the root too, also two layers further down", async () => {
    await view(
      [
        [d("./", special), d("a/", special), d("a/b/", special), f("a/b/x")],
        [f("o")],
        [f("a/b/c"), f("a/.wh.n"), f("a/b/.wh.x")],
      ],
      (root) => {
        for (const path of ["", "/a", "/a/b"]) expect(describeFolder(root + path)).toEqual(special);
        expect(names(root)).toEqual(["a", "a/b", "a/b/c", "o"]);
      },
    );
  });

  test("those with a member do not", async () => {
    await view([[d("a/", special)], [d("a/", { mode: 0o700 }), f("a/x")]], (root) => {
      expect(describeFolder(`${root}/a`)).toMatchObject({ mode: 0o700, uid: 0, xattrs: [] });
    });
  });

  test.each<[string, Part[][]]>([
    ["a whiteout below", [[f(".wh.a")]]],
    ["a file below", [[f("a")]]],
    ["a link below", [[{ name: "a", type: "2", link: "b" }]]],
    ["an opaque root below", [[f(".wh..wh..opq")]]],
    ["a whiteout in the layer itself", []],
  ])("are plain ones behind %s", async (name, between) => {
    const own = name.endsWith("itself") ? [f(".wh.a")] : [];
    await view([[d("a/", special), d("b/", special)], ...between, [f("a/x"), ...own]], (root) => {
      expect(describeFolder(`${root}/a`)).toMatchObject({ mode: 0o755, uid: 0, gid: 0, xattrs: [] });
      expect(names(`${root}/a`)).toEqual(["x"]);
    });
  });

  test("keep what they are where their folder is opaque", async () => {
    await view(
      [
        [d("a/", special), d("a/b/", special), f("a/b/old")],
        [f("a/.wh..wh..opq"), f("a/b/x")],
      ],
      (root) => {
        expect(describeFolder(`${root}/a`)).toEqual(special);
        expect(describeFolder(`${root}/a/b`)).toMatchObject({ mode: 0o755, uid: 0 });
        expect(names(root)).toEqual(["a", "a/b", "a/b/x"]);
      },
    );
  });
});

describe.skipIf(!isRoot)("whiteouts", () => {
  test("of what is not there are dropped, with the folders that they made, and change no time", async () => {
    await inFolder(async (folder) => {
      const below = tarOf(d("a/", special), f("f"), { name: "l", type: "2", link: "a" });
      const above = tarOf(
        d("c/", special),
        f("c/.wh.no"),
        f(".wh.none"),
        f("a/.wh.no"),
        f("f/.wh.x"),
        f("l/.wh.x"),
        f("n/m/.wh.x"),
        f(".wh.f2"),
      );
      const [top = ""] = await layersIn(folder, [below, above]);
      expect(names(top)).toEqual(["a", "c"]);
      expect(describeFolder(`${top}/c`)).toEqual(special);
      expect(describeFolder(`${top}/a`)).toEqual(special);
    });
  });

  test("and folders can be settled once more", async () => {
    await inFolder(async (folder) => {
      const above = tarOf(f("n/m/.wh.x"), f("a/.wh.no"), f("a/.wh.x"), f("o/new"));
      const [top = "", ...lower] = await layersIn(folder, [tarOf(d("a/", special), f("a/x")), above]);
      const before = allNames(top);
      await withFolders([top, ...lower], ([root = -1, ...rest]) =>
        settleLayer(root, rest, {
          implicit: ["", "n", "n/m", "a", "o"],
          whiteouts: ["n/m/x", "a/no", "a/x"],
        }),
      );
      expect(allNames(top)).toEqual(before);
    });
  });

  test("of what is there are kept", async () => {
    const layers = [
      [f("a/x"), f("a/y"), f("b")],
      [f("c"), f("a/.wh.x")],
      [f("a/.wh.x"), f("a/.wh.y"), f(".wh.b"), f(".wh.c")],
    ];
    expect(await view(layers, names)).toEqual(["a"]);
  });

  test("what a whiteout took away can come again", async () => {
    const layers = [
      [f("a/x"), d("d/"), f("d/x")],
      [f("a/.wh.x"), f(".wh.d")],
      [f("a/x"), f("d/y")],
    ];
    expect(await view(layers, names)).toEqual(["a", "a/x", "d", "d/y"]);
  });

  test("an opaque root hides all below, but what the layer brings", async () => {
    const layers = [
      [d("./", special), f("a/x"), f("b"), f("c/y")],
      [f(".wh..wh..opq"), f("a/z"), f("c")],
      [f("d")],
    ];
    await view(layers, (root) => {
      expect(names(root)).toEqual(["a", "a/z", "c", "d"]);
      expect(describeFolder(root)).toEqual(special);
      expect(describeFolder(`${root}/a`)).toMatchObject({ xattrs: [] });
    });
  });

  test("links in lower layers lead nowhere", async () => {
    await inFolder(async (folder) => {
      for (const name of ["out", "low", "top", "top/l", "top/l/d"])
        mkdirSync(`${folder}/${name}`, { mode: 0o711 });
      mkdirSync(`${folder}/out/d`, { mode: 0o777 });
      symlinkSync(`${folder}/out`, `${folder}/low/l`);
      await withFolders([`${folder}/top`, `${folder}/low`], ([root = -1, ...lower]) =>
        settleLayer(root, lower, { implicit: ["l/d"], whiteouts: [] }),
      );
      expect(readdirSync(`${folder}/top/l`)).toEqual([]);
      expect(readdirSync(`${folder}/out`)).toEqual(["d"]);
    });
  });
});
