import { members } from "../support.ts";
import { base256, filled, member, pax } from "./blocks.ts";

/** Numbers that look random and are the same for each seed (Marsaglia's xorshift). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  }

  /** From 0 to `below` - 1. */
  below(below: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % below;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const old = {
  156: "S",
  386: "00000000000\0" + "00000000005\0" + "00000010000\0" + "00000000003\0",
  482: "\x01",
  483: "00000020000\0",
};
const mapBlock = Buffer.alloc(512);
mapBlock.write("00000014000\0" + "00000000001\0", 0, "latin1");

/** Members of all kinds, each as its blocks. */
export const PARTS: readonly Buffer[] = [
  members({ name: "./", type: "5", mode: 0o755 }),
  members({ name: "a/", type: "5", mode: 0o2755, xattrs: [["user.a", "1"]] }),
  members({ name: "a/file", data: "content", uid: 3_000_000 }, { name: "hard", type: "1", link: "a/file" }),
  members({ name: "a/b/c/deep", data: "x".repeat(1500) }),
  members({ name: "abs", type: "2", link: "/a/b" }),
  members({ name: "up", type: "2", link: "../../../../../../etc" }),
  members(
    { name: "t/u/", type: "5" },
    { name: "link", type: "2", link: "/t" },
    { name: "link/through", data: "y" },
  ),
  members(
    { name: "dev", type: "3", major: 1, minor: 3 },
    { name: "zero", type: "3" },
    { name: "fifo", type: "6" },
  ),
  members(
    { name: "a/.wh.gone" },
    { name: ".wh.other" },
    { name: "o/.wh..wh..opq" },
    { name: ".wh.a" },
    { name: ".wh.low" },
  ),
  members({ name: ".wh..wh.plnk/1", data: "z" }),
  members({ name: "n".repeat(140), data: "long" }),
  Buffer.concat([
    member({ name: "L", data: `${"g".repeat(120)}\0` }, { 156: "L" }),
    members({ name: "short", data: "1" }),
  ]),
  Buffer.concat([
    member({ name: "K", data: `${"k".repeat(120)}\0` }, { 156: "K" }),
    members({ name: "sl", type: "2", link: "1" }),
  ]),
  Buffer.concat([
    pax(
      [
        ["comment", "c"],
        ["uid", "5"],
      ],
      "g",
    ),
    members({ name: "global" }),
  ]),
  Buffer.concat([
    pax([
      ["size", "4"],
      ["mtime", "-1.5"],
      ["SCHILY.acl.access", "user::rwx,user:7:r-x,group::r--,mask::r-x,other::---"],
    ]),
    member({ name: "paxed", data: "1234" }),
  ]),
  Buffer.concat([
    pax([
      ["LIBARCHIVE.xattr.user.b", "YQ"],
      ["SCHILY.xattr.trusted.overlay.opaque", "y"],
    ]),
    members({ name: "x/", type: "5" }),
  ]),
  Buffer.concat([
    member({ name: "sparse", data: "123456789" }, old).subarray(0, 512),
    mapBlock,
    filled(Buffer.from("123456789")),
  ]),
  Buffer.concat([
    pax([
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.realsize", "90"],
      ["GNU.sparse.name", "s10"],
    ]),
    members({ name: "S10", data: Buffer.concat([filled(Buffer.from("1\n7\n3\n")), Buffer.from("abc")]) }),
  ]),
  Buffer.concat([
    pax([
      ["GNU.sparse.size", "90"],
      ["GNU.sparse.offset", "5"],
      ["GNU.sparse.numbytes", "3"],
    ]),
    members({ name: "s00", data: "abc" }),
  ]),
  member({ name: "v7", data: "old" }, { 257: Buffer.alloc(255), 136: base256(-100n, 12) }),
  member({ name: "volume" }, { 156: "V" }),
];

export const KEYS = [
  "path",
  "linkpath",
  "size",
  "uid",
  "gid",
  "mtime",
  "SCHILY.xattr.user.z",
  "SCHILY.acl.access",
  "SCHILY.acl.default",
  "GNU.sparse.map",
  "GNU.sparse.size",
  "GNU.sparse.major",
  "GNU.sparse.realsize",
  "GNU.sparse.name",
  "LIBARCHIVE.xattr.a%",
  "hdrcharset",
];
export const VALUES = [
  "",
  "-1",
  "0",
  "7",
  "99999999999999999999",
  "1e9",
  "9007199254740991",
  "\0",
  "/",
  "..",
  "../out/f",
  "a/b",
  ".wh.",
  "a\0b",
  "user::rwx",
  "0,1,2,3",
  "x".repeat(300),
  "link/f",
];
export const TYPES = "0123456789ABCDEFGKLMNSVXgx\0\xff";
export const NAMES = [
  "",
  "/",
  "..",
  "../out/f",
  "/etc/x",
  ".wh.",
  ".wh..",
  ".wh.a",
  "a",
  "a/",
  "link",
  "link/x",
  "up/x",
  "abs/x",
  "a/file/x",
  "a\xff",
  "./././",
  "a/./b//c",
];
export const FIELDS = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [157, 100],
  [257, 8],
  [329, 8],
  [337, 8],
  [345, 155],
  [386, 12],
  [398, 12],
  [482, 1],
  [483, 12],
] as const;
