import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { BLOCK } from "../../../src/image/tar/header.ts";
import { inFolder, members, refusal, tarOf, unpackTo } from "../support.ts";

/** The archive with one byte of a header changed, and its checksum made right again. */
function patched(tar: Buffer, at: number, bytes: Buffer): Buffer {
  const copy = Buffer.from(tar);
  bytes.copy(copy, at);
  copy.write("        ", 148, "latin1");
  const sum = copy.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}

describe("names", () => {
  test.each([
    ["/etc/passwd", "is absolute"],
    ["../evil", "leads outside of the image with .."],
    ["a/../../evil", "leads outside of the image with .."],
    ["a/..", "leads outside of the image with .."],
  ])("%s", async (name, words) => {
    expect(await refusal(tarOf({ name, data: "x" }))).toContain(words);
  });

  test("an absolute name in a pax header", async () => {
    expect(await refusal(tarOf({ name: `/${"a".repeat(120)}`, data: "x" }))).toContain("is absolute");
  });

  test("a NUL in a pax header", async () => {
    expect(await refusal(tarOf({ name: `a\0/${"../".repeat(40)}etc/x`, data: "x" }))).toContain("NUL");
  });

  test("a name longer than the kernel takes", async () => {
    expect(await refusal(tarOf({ name: "abcde/".repeat(700), type: "5" }))).toContain("ENAMETOOLONG");
  });

  test("the root as a file", async () => {
    expect(await refusal(tarOf({ name: "./", type: "2", link: "/etc" }))).toContain("can only be a folder");
  });
});

describe("links that lead outside", () => {
  test("a file through an absolute symbolic link", async () => {
    await inFolder(async (outside) => {
      const tar = tarOf({ name: "a", type: "2", link: outside }, { name: "a/passwd", data: "evil" });
      expect(await refusal(tar)).toBe('"a/passwd": its folder "a" leads outside of the image by a link');
      expect(readdirSync(outside)).toEqual([]);
    });
  });

  test.each(["..", "../..", "x/../../.."])("a file through a link to %s", async (link) => {
    const tar = tarOf(
      { name: "x/", type: "5" },
      { name: "a", type: "2", link },
      { name: "a/b/evil", data: "x" },
    );
    expect(await refusal(tar)).toContain("leads outside of the image by a link");
  });

  test("a folder's metadata through a link", async () => {
    await inFolder(async (outside) => {
      const tar = tarOf({ name: "a", type: "2", link: outside }, { name: "a/b/", type: "5" });
      expect(await refusal(tar)).toContain("leads outside");
      expect(readdirSync(outside)).toEqual([]);
    });
  });

  test("a folder that becomes a link after it was used", async () => {
    await inFolder(async (outside) => {
      const link = { name: "d", type: "2", link: outside } as const;
      expect(await refusal(tarOf({ name: "d/", type: "5" }, link, { name: "d/x", data: "x" }))).toContain(
        "leads outside",
      );
      expect(await refusal(tarOf({ name: "d/x", data: "x" }, link))).toContain("a folder that is not empty");
      expect(readdirSync(outside)).toEqual([]);
    });
  });

  test("a file over a link replaces the link", async () => {
    await inFolder(async (folder) => {
      const target = `${folder}/outside`;
      await Bun.write(`${folder}/root/.keep`, "");
      await unpackTo(
        `${folder}/root`,
        tarOf({ name: "a", type: "2", link: target }, { name: "a", data: "new" }),
      );
      expect(existsSync(target)).toBe(false);
      expect(await Bun.file(`${folder}/root/a`).text()).toBe("new");
    });
  });

  test.each([
    ["/etc/passwd", "is absolute"],
    ["../../etc/passwd", "leads outside of the image with .."],
    ["missing", "is not there"],
    ["missing/too", "is not there"],
  ])("a hard link to %s", async (link, words) => {
    expect(await refusal(tarOf({ name: "a", type: "1", link }))).toContain(words);
  });

  test("a hard link through a symbolic link", async () => {
    const tar = tarOf({ name: "a", type: "2", link: "/etc" }, { name: "b", type: "1", link: "a/passwd" });
    expect(await refusal(tar)).toContain("leads outside of the image by a link");
  });
});

describe("damage", () => {
  const whole = tarOf({ name: "a", data: "x".repeat(5000) }, { name: "b", data: "y" });
  const inner = members({ name: "a", data: "x".repeat(5000) }, { name: "b", data: "y" });

  test.each([
    ["inside a header", 100],
    ["inside content", 3000],
    ["in the padding", 512 + 5010],
    ["between two members", 512 + 5120],
    ["after the last member", inner.length],
  ])("cut short %s", async (_, length) => {
    expect(await refusal(whole.subarray(0, length))).toContain("cut short");
    expect(await refusal(whole.subarray(0, length), 700)).toContain("cut short");
  });

  test("content that ends in zeros is no end of the archive", async () => {
    expect(await refusal(members({ name: "a", data: new Uint8Array(4096) }))).toContain("cut short");
  });

  test("no tar at all, an empty one, an empty file", async () => {
    expect(await refusal(Buffer.from("hello ".repeat(500)))).toContain("not a tar archive");
    expect(await refusal(Buffer.alloc(1024))).toContain("empty archive");
    expect(await refusal(Buffer.alloc(0))).toContain("cut short");
  });

  test("a wrong checksum", async () => {
    const bad = Buffer.from(whole);
    bad.write("b", 0);
    expect(await refusal(bad)).toContain("not a tar archive, or damaged");
  });

  test("a block of zeros among its members", async () => {
    const first = members({ name: "a", data: "x" });
    expect(await refusal(Buffer.concat([first, Buffer.alloc(512), whole]))).toContain(
      "a block of zeros lies among",
    );
  });

  test("what follows the end is no part of it", async () => {
    await inFolder(async (folder) => {
      const unpacked = await unpackTo(
        folder,
        Buffer.concat([whole, Buffer.from("garbage".repeat(999)), inner]),
      );
      expect(unpacked.members).toBe(2);
    });
  });

  test("sparse and unknown types", async () => {
    expect(await refusal(patched(whole, 156, Buffer.from("S")))).toContain(
      "map of a sparse file is malformed",
    );
    expect(await refusal(patched(whole, 156, Buffer.from("M")))).toContain("type is not supported");
  });

  test.each(["-5 a=", "0 a=b\n", "9999 a=b\n", "nonsense", "6 ab=c", "5 ab\n"])(
    "pax header %j",
    async (data) => {
      const head = members({ name: "pax", data });
      const tar = Buffer.concat([patched(head, 156, Buffer.from("x")), whole]);
      expect(await refusal(tar)).toContain("pax header is malformed");
    },
  );

  test("owners that are no numbers of the kernel's", async () => {
    const head = patched(members({ name: "pax", data: "18 uid=4294967295\n" }), 156, Buffer.from("x"));
    expect(await refusal(Buffer.concat([head, whole]))).toContain("uid is not a valid number");
  });
});
