import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { AT_FDCWD } from "../../../src/linux/file.ts";
import { readXattrs } from "../../../src/linux/xattr.ts";
import { inFolder, isRoot, members, refusal, unpackTo } from "../support.ts";
import { archive, base256, edited, member, pax } from "./blocks.ts";

async function unpacked<T>(blocks: readonly Uint8Array[], look: (folder: string) => T): Promise<T> {
  return await inFolder(async (folder) => {
    await unpackTo(folder, archive(...blocks));
    return look(folder);
  });
}

const xattrs = (path: string): Record<string, string> => Object.fromEntries(readXattrs([AT_FDCWD, path]));

describe.skipIf(!isRoot)("old tars", () => {
  test("V7: no magic, folders by a trailing slash, links of a size that nothing follows", async () => {
    const v7 = { 257: Buffer.alloc(255) };
    const blocks = [
      member({ name: "d/", mode: 0o750 }, { ...v7, 156: "\0" }),
      member({ name: "d/f", data: "text" }, { ...v7, 156: "\0" }),
      member({ name: "l", type: "1", link: "d/f" }, { ...v7, 124: "00000000004\0" }),
      member({ name: "after", data: "1" }, v7),
    ];
    await unpacked(blocks, (folder) => {
      expect(lstatSync(`${folder}/d`).mode & 0o777).toBe(0o750);
      expect(readFileSync(`${folder}/l`, "utf8")).toBe("text");
      expect(readdirSync(folder).sort()).toEqual(["after", "d", "l"]);
    });
  });

  test("a folder of type 0 by its slash, also by a pax name, and content it should not have", async () => {
    const long = `${"n".repeat(120)}/`;
    const blocks = [
      member({ name: "d/", data: "x".repeat(600) }),
      members({ name: long, data: "" }),
      member({ name: "e", type: "5" }, { 124: "00000001000\0" }),
      members({ name: "f", data: "1" }),
    ];
    await unpacked(blocks, (folder) => {
      expect(lstatSync(`${folder}/d`).isDirectory()).toBe(true);
      expect(lstatSync(`${folder}/${long}`).isDirectory()).toBe(true);
      expect(lstatSync(`${folder}/e`).isDirectory()).toBe(true);
      expect(readFileSync(`${folder}/f`, "utf8")).toBe("1");
    });
  });

  test("a checksum of signed bytes, numbers with blanks, an empty mode", async () => {
    const header = member(
      { name: "\xe4", data: "1" },
      { 100: "   644 \0", 108: "     7 \0", 116: Buffer.alloc(8) },
    );
    const sum = header
      .subarray(0, 512)
      .reduce((total, byte, at) => (at >= 148 && at < 156 ? total + 32 : total + ((byte << 24) >> 24)), 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    await unpacked([header], (folder) => {
      const stat = lstatSync(Buffer.from(`${folder}/\xe4`, "latin1"));
      expect([stat.mode & 0o777, stat.uid, stat.gid]).toEqual([0o644, 7, 0]);
    });
  });

  test("star's shorter prefix, and ustar's", async () => {
    const name = { 345: "some/where" };
    const star = { ...name, 476: "00000000000 00000000000 ", 508: "tar\0" };
    await unpacked(
      [
        member({ name: "u" }, name),
        member({ name: "s" }, star),
        member({ name: "t" }, { ...star, 345: "p".repeat(131) }),
      ],
      (folder) => {
        expect(readdirSync(`${folder}/some/where`).sort()).toEqual(["s", "u"]);
        expect(readdirSync(`${folder}/${"p".repeat(131)}`)).toEqual(["t"]);
      },
    );
  });
});

describe.skipIf(!isRoot)("GNU's formats", () => {
  test("a volume's name is skipped, also one with content; backups' lists of names are folders", async () => {
    const blocks = [
      member({ name: "a volume", data: "" }, { 156: "V" }),
      member({ name: "one more", data: "x" }, { 156: "V" }),
      member({ name: "d/", data: "Yf\0\0" }, { 156: "D" }),
      members({ name: "d/f", data: "1" }),
    ];
    await unpacked(blocks, (folder) => {
      expect(readdirSync(folder)).toEqual(["d"]);
      expect(readFileSync(`${folder}/d/f`, "utf8")).toBe("1");
    });
  });

  test("numbers in base 256: owners, sizes, times before 1970", async () => {
    const odd = {
      108: base256(4_000_000_000n, 8),
      116: base256(2n ** 21n, 8),
      124: base256(3n, 12),
      136: base256(-1n, 12),
    };
    await unpacked([member({ name: "a", data: "123" }, odd)], (folder) => {
      const stat = lstatSync(`${folder}/a`);
      expect([stat.uid, stat.gid, stat.size, stat.mtimeMs]).toEqual([4_000_000_000, 2 ** 21, 3, -1000]);
    });
    await unpacked([member({ name: "a" }, { 136: base256(-86400n * 365n, 12) })], (folder) =>
      expect(lstatSync(`${folder}/a`).mtimeMs).toBe(-86400_000 * 365),
    );
  });

  test.each<[string, Record<number, string | Buffer>]>([
    ["uid", { 108: base256(-1n, 8) }],
    ["gid", { 116: base256(2n ** 32n - 1n, 8) }],
    ["size", { 124: base256(-1n, 12) }],
    ["size", { 124: base256(2n ** 64n, 12) }],
    ["size", { 124: "12x45678901 " }],
    ["mtime", { 136: base256(2n ** 80n, 12) }],
    ["mode", { 100: "rwxrwxr\0" }],
  ])("%s that is none", async (field, change) => {
    expect(await refusal(archive(member({ name: "a" }, change)))).toBe(
      `"a": its ${field} is not a valid number`,
    );
  });
});

describe.skipIf(!isRoot)("pax headers", () => {
  test("sizes, names, links, owners and times override the header's", async () => {
    const records = [
      ["size", "3"],
      ["path", "true"],
      ["uid", "7"],
      ["gid", "3000000"],
      ["mtime", "-1.5"],
      ["hdrcharset", "BINARY"],
    ] as const;
    const blocks = [
      pax(records),
      member({ name: "wrong", data: "123" }, { 124: "00000000000\0" }),
      pax([
        ["linkpath", "\xff\xfe"],
        ["hdrcharset", "BINARY"],
        ["path", "\xfd"],
      ]),
      members({ name: "l", type: "2", link: "x" }),
    ];
    await unpacked(blocks, (folder) => {
      const stat = lstatSync(`${folder}/true`);
      expect([stat.size, stat.uid, stat.gid, stat.mtimeMs]).toEqual([3, 7, 3_000_000, -1500]);
      expect(readlinkSync(Buffer.from(`${folder}/\xfd`, "latin1"), "latin1")).toBe("\xff\xfe");
    });
  });

  test("a record of no length takes back a global one, and the last header before a member counts", async () => {
    const blocks = [
      pax(
        [
          ["uid", "7"],
          ["gid", "8"],
        ],
        "g",
      ),
      members({ name: "a" }),
      pax([["path", "no"]]),
      pax([["uid", ""]]),
      members({ name: "b", uid: 5 }),
    ];
    await unpacked(blocks, (folder) => {
      expect([lstatSync(`${folder}/a`).uid, lstatSync(`${folder}/a`).gid]).toEqual([7, 8]);
      expect([lstatSync(`${folder}/b`).uid, lstatSync(`${folder}/b`).gid]).toEqual([5, 8]);
    });
  });

  test.each(["path", "linkpath", "size", "GNU.sparse.name", "SCHILY.xattr.user.a"])(
    "%s cannot be global",
    async (key) => {
      expect(await refusal(archive(pax([[key, "1"]], "g"), members({ name: "a" })))).toContain(
        `has ${key}, which is for one member`,
      );
    },
  );

  test.each([
    ["size", "-1"],
    ["size", "1e3"],
    ["uid", "0x10"],
    ["mtime", "yesterday"],
  ])("%s=%s is refused", async (key, value) => {
    expect(await refusal(archive(pax([[key, value]]), members({ name: "a" })))).toContain(
      `its ${key} is not a valid number`,
    );
  });

  test("one that no member follows", async () => {
    expect(await refusal(archive(members({ name: "a" })).subarray(0, 512))).toContain(
      "end of the archive is missing",
    );
    expect(await refusal(Buffer.concat([members({ name: "a" }), pax([["uid", "1"]])]))).toContain(
      "it is cut short",
    );
  });
});

// version 2: user::rwx, user:1000:r-x, group::r--, mask::r-x, other::---
const ACL = Buffer.from(
  "02000000" +
    "01000700ffffffff" +
    "02000500e8030000" +
    "04000400ffffffff" +
    "10000500ffffffff" +
    "20000000ffffffff",
  "hex",
).toString("latin1");

describe.skipIf(!isRoot)("extended attributes", () => {
  test.each([
    "user::rwx,user:1000:r-x,group::r--,mask::r-x,other::---",
    "user::rwx\nuser:lisa:r-x:1000\t#effective:r-x\nother::---\nmask::r-x\ngroup::r--\n",
  ])("an ACL as text: %j", async (text) => {
    const blocks = [
      pax([
        ["SCHILY.acl.access", text],
        ["SCHILY.acl.default", text],
      ]),
      members({ name: "d/", type: "5", mode: 0o750 }),
      pax([["SCHILY.acl.access", text]]),
      members({ name: "d/f", mode: 0o750 }),
      pax([["SCHILY.acl.access", ""]]),
      members({ name: "d/g" }),
    ];
    await unpacked(blocks, (folder) => {
      expect(xattrs(`${folder}/d`)).toEqual({
        "system.posix_acl_access": ACL,
        "system.posix_acl_default": ACL,
      });
      expect(xattrs(`${folder}/d/f`)).toEqual({ "system.posix_acl_access": ACL });
      expect(xattrs(`${folder}/d/g`)).toEqual({});
    });
  });

  test.each([
    [
      "user::rwx,user:lisa:r-x,group::r--,mask::r-x,other::---",
      'the entry "user:lisa:r-x", which names no number',
    ],
    ["user::rwx,nobody", 'the entry "nobody", which is none'],
    ["user::rwx,mask:7:rwx", "names no number"],
    ["user::rwx", "EINVAL"],
  ])("an ACL that cannot be kept: %s", async (text, words) => {
    expect(await refusal(archive(pax([["SCHILY.acl.access", text]]), members({ name: "a" })))).toContain(
      words,
    );
  });

  test("libarchive's own records, and those of the root", async () => {
    const value = Buffer.from("\0\xffbytes", "latin1").toString("base64").replaceAll("=", "");
    const blocks = [
      pax([["LIBARCHIVE.xattr.user.a%25b%3Dc", value]]),
      members({ name: "./", type: "5" }),
      pax([
        ["LIBARCHIVE.xattr.trusted.overlay.opaque", "eQ=="],
        ["SCHILY.xattr.user.b", "1"],
      ]),
      members({ name: "d/", type: "5" }),
    ];
    await unpacked(blocks, (folder) => {
      expect(xattrs(folder)).toEqual({ "user.a%b=c": "\0\xffbytes" });
      expect(xattrs(`${folder}/d`)).toEqual({ "user.b": "1" });
    });
  });
});

test("header blocks in pieces of any size read the same", async () => {
  const tar = archive(
    edited(members({ name: "a", data: "x".repeat(700), xattrs: [["user.a", "1"]] }), {}),
    members({ name: "b" }),
  );
  for (const size of [1, 3, 511, 512, 513, 1024]) {
    await inFolder(async (folder) => {
      expect(await unpackTo(folder, tar, size)).toMatchObject({ members: 2, size: 700 });
      expect(readFileSync(`${folder}/a`, "utf8")).toBe("x".repeat(700));
    });
  }
});
