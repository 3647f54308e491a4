import { describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { unpackLayer } from "../../../src/image/tar/layer.ts";
import { inFolder, isRoot, members, type Part, piecesOf, tarOf } from "../support.ts";
import { allNames, layerAt, withFolders } from "./layer-support.ts";

/** A layer unpacked beside a folder `out`, which must stay as it is; and with what words it was refused, if it was. */
async function attack(
  parts: (out: string) => readonly Part[],
  look: (layer: string) => void = () => undefined,
): Promise<string> {
  return await inFolder(async (folder) => {
    const out = `${folder}/out`;
    const before = makeOutside(out);
    let words = "";
    try {
      await layerAt(`${folder}/l`, tarOf(...parts(out)));
    } catch (error) {
      expect(error).toHaveProperty("name", "ArchiveError");
      words = String(error);
    }
    look(`${folder}/l`);
    expect(outside(out)).toEqual(before);
    return words;
  });
}

function makeOutside(out: string): unknown {
  mkdirSync(`${out}/d`, { recursive: true });
  for (const name of ["f", "d/f"]) writeFileSync(`${out}/${name}`, "untouched", { mode: 0o600 });
  return outside(out);
}

function outside(out: string): unknown {
  return ["", ...allNames(out)].map((name) => {
    const { mode, uid, mtimeNs, ctimeNs, size } = lstatSync(`${out}/${name}`, { bigint: true });
    return { name, mode, uid, mtimeNs, ctimeNs, size };
  });
}

const link = (name: string, to: string): Part => ({ name, type: "2", link: to });

describe.skipIf(!isRoot)("a layer cannot leave its folder", () => {
  test.each(["../out/f", "a/../../out/f", "/../out/f", "..", "a/.."])("by the name %s", async (name) => {
    expect(await attack(() => [{ name, data: "evil" }])).toContain("leads outside of the image with ..");
    expect(await attack(() => [{ name: "x", type: "1", link: name }])).toContain(
      "leads outside of the image with ..",
    );
  });

  test("by an absolute name", async () => {
    const words = await attack(
      (out) => [{ name: `${out}/f`, data: "mine" }],
      (layer) => expect(readFileSync(`${layer}${layer.replace(/l$/, "out/f")}`, "utf8")).toBe("mine"),
    );
    expect(words).toBe("");
  });

  test.each(["f", "d/f", "new"])("by a file or folder %s through a link", async (name) => {
    const through = (to: string): Part[] => [
      link("a", to),
      { name: `a/${name}`, data: "evil", mode: 0o777 },
      { name: "a/d/", type: "5" },
    ];
    // an absolute link leads to a folder of the layer, which it does not have
    expect(await attack((out) => through(out))).toContain('its folder "a" is not a folder');
    // one that leads up stops at the root
    expect(
      await attack(
        () => [{ name: "out/", type: "5" }, ...through("../../../../out")],
        (layer) => expect(existsSync(`${layer}/out/${name}`)).toBe(true),
      ),
    ).toBe("");
  });

  test("by a hard link to what is outside, or through a link", async () => {
    expect(await attack((out) => [{ name: "x", type: "1", link: `${out}/f` }])).toContain("is not there");
    expect(await attack((out) => [link("a", out), { name: "x", type: "1", link: "a/f" }])).toMatch(
      /is not a folder|is not there/,
    );
    // to a link: another name of the link itself, which is not written through
    const words = await attack(
      (out) => [link("a", `${out}/f`), { name: "x", type: "1", link: "a" }, { name: "x", data: "mine" }],
      (layer) => {
        expect(readlinkSync(`${layer}/a`)).toEndWith("/out/f");
        expect(readFileSync(`${layer}/x`, "utf8")).toBe("mine");
      },
    );
    expect(words).toBe("");
  });

  test("by a hard link to a folder, to itself, to the root", async () => {
    for (const to of ["d", "x", "./"])
      expect(
        await attack(() => [
          { name: "d/", type: "5" },
          { name: "x", type: "1", link: to },
        ]),
      ).not.toBe("");
  });

  test("by a folder that becomes a link", async () => {
    const folder: Part = { name: "a/", type: "5" };
    const evil: Part = { name: "a/f", data: "evil" };
    expect(await attack((out) => [folder, link("a", out), evil])).toContain('its folder "a" is not a folder');
    expect(await attack((out) => [folder, { name: "a/x" }, link("a", out), evil])).toContain(
      "a folder that is not empty",
    );
    expect(
      await attack(
        (out) => [link("a", out), folder, evil],
        (layer) => expect(existsSync(`${layer}/a/f`)).toBe(true),
      ),
    ).toBe("");
  });

  test("by whiteouts and opaque folders through a link", async () => {
    const words = await attack((out) => [
      link("a", out),
      { name: "a/.wh.f" },
      { name: "a/.wh..wh..opq" },
      link("b", "../out"),
      { name: "b/.wh.f" },
    ]);
    expect(words).toBe("");
  });

  test("and keeps set-id bits", async () => {
    await attack(
      () => [{ name: "su", mode: 0o6755, uid: 5, gid: 6 }],
      (layer) => expect(lstatSync(`${layer}/su`).mode & 0o7777).toBe(0o6755),
    );
  });
});

describe.skipIf(!isRoot)("somebody who puts links into the folder meanwhile", () => {
  /** Unpacks `pieces`, with `swap` done between each two. */
  async function swapped(
    pieces: readonly Buffer[],
    swap: (layer: string, out: string) => void,
  ): Promise<void> {
    await inFolder(async (folder) => {
      const [layer, out] = [`${folder}/l`, `${folder}/out`];
      mkdirSync(layer);
      const before = makeOutside(out);
      async function* interrupted(): AsyncGenerator<Uint8Array> {
        for (const [i, piece] of pieces.entries()) {
          if (i > 0) swap(layer, out);
          yield piece;
        }
      }
      const done = withFolders([layer], ([fd = -1]) => unpackLayer(interrupted(), fd));
      await done.catch((error: unknown) => expect(error).toHaveProperty("name", "ArchiveError"));
      expect(outside(out)).toEqual(before);
    });
  }

  const toLink = (layer: string, out: string): void => {
    renameSync(`${layer}/d`, `${layer}/aside`);
    symlinkSync(out, `${layer}/d`);
  };

  test("a folder that is in use", async () => {
    const after = tarOf(
      { name: "d/f", data: "evil" },
      { name: "d/d/f", data: "evil" },
      { name: "d/.wh.f" },
      { name: "d/.wh..wh..opq" },
    );
    await swapped([members({ name: "d/", type: "5", mode: 0o777 }, { name: "d/x" }), after], toLink);
    await swapped([members({ name: "d/", type: "5", mode: 0o777 }), after], toLink);
  });

  test("a file that is being written", async () => {
    const tar = tarOf({ name: "d", data: "x".repeat(3000), mode: 0o777, uid: 7, xattrs: [["user.a", "1"]] });
    await swapped([tar.subarray(0, 2500), tar.subarray(2500)], (layer, out) => toLink(layer, `${out}/f`));
  });

  test("a process that does nothing else", async () => {
    await inFolder(async (folder) => {
      const [layer, out] = [`${folder}/l`, `${folder}/out`];
      const before = makeOutside(out);
      mkdirSync(`${layer}/d`, { recursive: true });
      const script = "while :; do mv d aside; ln -s $0 d; rm d; mv -T aside d; done 2>/dev/null";
      const swapper = Bun.spawn(["/bin/sh", "-c", script, out], { cwd: layer });
      try {
        const tar = tarOf(
          { name: "d/", type: "5", mode: 0o777, uid: 7 },
          { name: "d/d/", type: "5", mode: 0o777, uid: 7 },
          { name: "d/f", data: "evil", mode: 0o777 },
          { name: "d/d/f", data: "evil", mode: 0o777 },
          { name: "d/n", type: "3", major: 1, minor: 3, mode: 0o777 },
          { name: "d/.wh.w" },
        );
        for (let i = 0; i < 60; i++)
          await withFolders([layer], ([fd = -1]) => unpackLayer(piecesOf(tar), fd)).catch((error: unknown) =>
            expect(error).toHaveProperty("name", "ArchiveError"),
          );
      } finally {
        expect(swapper.exitCode).toBe(null);
        swapper.kill(9);
        await swapper.exited;
      }
      expect(outside(out)).toEqual(before);
    });
  });
});
