import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { background, fails, mydocker, ok, ROOT, suite } from "./harness.ts";
import { baseTar, fileTar, layoutOf, type Made, makeImage, tarOf } from "./made-images.ts";

suite();

/** Loads an image from an OCI layout, and gives it a name. */
async function load(name: string, made: Made): Promise<void> {
  const said = await ok("load", "-i", layoutOf({ x: made }));
  expect(said).toBe(`Loaded image ID: ${made.config.digest}`);
  await ok("tag", made.config.digest, name);
}

async function manyLayers(count: number): Promise<Made> {
  const files = Array.from({ length: count - 1 }, (_, i) => fileTar(`f${i}`, `${i}`));
  return makeImage([await baseTar(), ...(await Promise.all(files))], {}, { how: "plain" });
}

describe("many layers", () => {
  test("an image of 127 runs, though the names of its folders take more than a page", async () => {
    await load("many", await manyLayers(127));
    expect(await ok("run", "--rm", "many", "sh", "-c", "ls / | wc -l; cat /f0 /f63 /f125")).toBe(
      "132\n063125",
    );
    const { name, pid } = await background("many", "sleep", "1000");
    expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8")).toContain(" / / rw");
    // what is written over the layers stays over a stop, and becomes a layer that has no place any more
    await ok("exec", name, "sh", "-c", "rm /f0; echo new >/f1");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "cat", "/f1")).toBe("new");
    await fails(125, /has 127 layers already/, "commit", name, "more");
    await ok("rm", "-f", name);
    await ok("rmi", "many");
    expect(readdirSync(`${ROOT}/layers`).filter((layer) => layer.startsWith(".tmp-"))).toEqual([]);
  });

  test("one of 128 is refused before anything is unpacked", async () => {
    const layout = layoutOf({ x: await manyLayers(128) });
    await fails(125, /the image has 128 layers: 127 at most/, "load", "-i", layout);
    expect(await ok("images", "-q", "--filter", "dangling=true")).toBe("");
  });
});

describe("layers over one another", () => {
  test("whiteouts, opaque folders, folders that no member is for, and links, as in one tree", async () => {
    const lower = await baseTar((tar) => {
      tar.entry({ name: "d/", type: "directory", mode: 0o2751, uid: 5, gid: 70000, mtime: new Date(1e12) });
      for (const name of ["d/gone", "d/kept", "o/old", "w/inner/file", "becomes"])
        tar.entry({ name }, "low\n");
    });
    const upper = await tarOf((tar) => {
      // no member for d, which keeps what it is below
      tar.entry({ name: "d/.wh.gone" }, "");
      tar.entry({ name: "d/new", mode: 0o4755 }, "up\n");
      tar.entry({ name: "o/", type: "directory", mode: 0o700 });
      tar.entry({ name: "o/.wh..wh..opq" }, "");
      tar.entry({ name: "o/only" }, "up\n");
      tar.entry({ name: ".wh.w" }, "");
      tar.entry({ name: ".wh.never-there" }, "");
      tar.entry({ name: "becomes/", type: "directory", mode: 0o755 });
      tar.entry({ name: "becomes/x" }, "up\n");
      tar.entry({ name: "becomes/y", type: "link", linkname: "becomes/x" });
    });
    await load("over", makeImage([lower, upper]));
    const script =
      "ls /d /o /becomes; ls -d /w /never-there; stat -c '%n %a %u %g %Y' /d; stat -c '%n %a %h' /d/new /becomes/y";
    const { stdout, stderr } = await mydocker(["run", "--rm", "over", "sh", "-c", script]);
    expect(stdout).toBe(
      "/becomes:\nx\ny\n\n/d:\nkept\nnew\n\n/o:\nonly\n/d 2751 5 70000 1000000000\n/d/new 4755 1\n/becomes/y 755 2\n".replace(
        "/becomes/y 755 2",
        "/becomes/y 644 2",
      ),
    );
    expect(stderr.match(/No such file/g)).toHaveLength(2);
    const names = (await ok("run", "--rm", "over", "ls", "-a", "/")).split("\n");
    expect(names.filter((name) => name.startsWith(".wh") || name === "never-there")).toEqual([]);
    const [top = ""] = JSON.parse(
      await ok("inspect", "-f", "{{json .GraphDriver.Data.LowerDir}}", "over"),
    ).split(":");
    expect(lstatSync(`${top}/w`).isCharacterDevice()).toBe(true);
    expect(readdirSync(top).sort()).toEqual(["becomes", "d", "o", "w"]);
    await ok("rmi", "over");
  });

  test("a member that would leave its layer, by a name or a link, is refused, and nothing of the image stays", async () => {
    const base = await baseTar();
    const evil: Readonly<Record<string, Buffer>> = {
      "leads outside": await fileTar("../../escaped", "x"),
      "is not there": await tarOf((tar) => tar.entry({ name: "h", type: "link", linkname: "/etc/shadow" })),
    };
    for (const [words, tar] of Object.entries(evil))
      await fails(125, new RegExp(words), "load", "-i", layoutOf({ x: makeImage([base, tar]) }));
    expect(await ok("images", "-aq", "--filter", "dangling=true")).toBe("");
    await ok("image", "prune", "-f");
    expect(readdirSync(`${ROOT}/blobs/sha256`)).toEqual([]);
  });

  test("a layer whose content is not what the configuration says is refused", async () => {
    const tars = [await baseTar(), await fileTar("a", "true")];
    const lie = makeImage([tars[0] ?? tars[1] ?? Buffer.alloc(0), await fileTar("a", "false")]);
    const honest = makeImage(tars);
    const mixed = {
      ...honest,
      layers: lie.layers,
      manifest: makeImage(tars, {}, { layers: lie.layers }).manifest,
    };
    await fails(
      125,
      /its content is sha256:.*, but the image's configuration says/,
      "load",
      "-i",
      layoutOf({ x: mixed }),
    );
  });
});
