import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { inFolder, members, type Part, refusal, tarOf, unpackTo } from "../support.ts";
import { archive, base256, member, pax } from "./blocks.ts";

const files = (count: number, data = ""): Part[] =>
  Array.from({ length: count }, (_, i) => ({ name: `f${i}`, data }));

async function allowed(tar: Uint8Array, limits: Parameters<typeof unpackTo>[3]): Promise<void> {
  await inFolder(async (folder) => {
    await unpackTo(folder, tar, undefined, limits);
  });
}

describe("limits", () => {
  test("members", async () => {
    await allowed(tarOf(...files(10)), { members: 10 });
    expect(await refusal(tarOf(...files(11)), undefined, { members: 10 })).toBe(
      '"f10": it has more than 10 members',
    );
  });

  test("depth", async () => {
    await allowed(tarOf({ name: "./a//b/c" }), { depth: 3 });
    expect(await refusal(tarOf({ name: "a/b/c/d" }), undefined, { depth: 3 })).toBe(
      '"a/b/c/d": it lies in more than 2 folders',
    );
    await allowed(tarOf({ name: `${"a/".repeat(1023)}b`, data: "x" }), {});
    expect(await refusal(tarOf({ name: `${"a/".repeat(1024)}b` }))).toContain("more than 1023 folders");
  });

  test("content of all files, told before it is read", async () => {
    await allowed(tarOf(...files(3, "1234")), { content: 12 });
    expect(await refusal(tarOf(...files(3, "1234")), undefined, { content: 11 })).toBe(
      '"f2": its files have more than 11 bytes together',
    );
    const claims = member({ name: "huge" }, { 124: base256(1n << 50n, 12) });
    expect(await refusal(claims, undefined, { content: 1 << 30 })).toContain("more than 1073741824 bytes");
  });

  test("pax headers and long names, told before they are read", async () => {
    const record = (size: number): Buffer => pax([["comment", "x".repeat(size)]]);
    await allowed(archive(record(900), members({ name: "a" })), { headers: 1000 });
    expect(await refusal(record(1000), undefined, { headers: 1000 })).toMatch(
      /^a pax header or long name has 10\d\d bytes: 1000 are allowed$/,
    );
    for (const type of ["x", "g", "L", "K"])
      expect(await refusal(member({ name: "h" }, { 124: base256(1n << 40n, 12), 156: type }))).toContain(
        "1048576 are allowed",
      );
    const globals = Array.from({ length: 3 }, (_, i) => pax([[`k${i}`, "x".repeat(400)]], "g"));
    expect(await refusal(archive(...globals), undefined, { headers: 1000 })).toBe(
      "its global pax headers have more than 1000 bytes",
    );
  });

  test("extended attributes", async () => {
    const tar = tarOf({
      name: "a",
      xattrs: [
        ["user.a", "1234"],
        ["user.b", "1234"],
      ],
    });
    await allowed(tar, { xattrs: 20 });
    expect(await refusal(tar, undefined, { xattrs: 19 })).toBe(
      '"a": its extended attributes have more than 19 bytes',
    );
    const long = [`user.${"n".repeat(251)}`, "user.v"] as const;
    expect(await refusal(tarOf({ name: "a", xattrs: [[long[0], ""]] }))).toContain(
      "is larger than Linux allows",
    );
    expect(await refusal(tarOf({ name: "a", xattrs: [[long[1], "v".repeat(65537)]] }))).toContain(
      "is larger than Linux allows",
    );
  });

  test("what stands behind the end", async () => {
    const tar = tarOf({ name: "a" });
    await allowed(Buffer.concat([tar, Buffer.alloc(1000)]), { behind: 1000 });
    expect(await refusal(Buffer.concat([tar, Buffer.alloc(1001)]), 700, { behind: 1000 })).toBe(
      "more than 1000 bytes stand behind its end",
    );
  });

  test("an archive that claims a huge file and is short fails without taking its room", async () => {
    for (const size of [1n << 35n, 1n << 52n]) {
      const short = Buffer.concat([member({ name: "huge" }, { 124: base256(size, 12) }), randomBytes(5000)]);
      expect(await refusal(short)).toBe("it is cut short");
    }
  });
});
