/** The same image unpacked by umoci into one folder, and by us as layers under overlayfs: they must look the same. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { AT_FDCWD } from "../../../src/linux/file.ts";
import { byteName } from "../../../src/linux/tree.ts";
import { readXattrs } from "../../../src/linux/xattr.ts";
import { inFolder, isRoot, members, type Part, tarOf } from "../support.ts";
import { archive, base256, member, pax } from "./blocks.ts";
import { allNames, layersIn, merged } from "./layer-support.ts";

const umoci = Bun.which("umoci");

const T = 1_111_111_111_000_000_000n;
const d = (name: string, more: Partial<Part> = {}): Part => ({
  name,
  type: "5",
  mode: 0o755,
  mtime: T,
  ...more,
});
const f = (name: string, data = name, more: Partial<Part> = {}): Part => ({
  name,
  data,
  mtime: T + 5n,
  ...more,
});
const CAPABILITY = "\x01\0\0\x02\xc0\xff\0\x80\0\0\0\0\xc2\0\0\0\0\0\0\0";

/** In pax format 1.0: umoci does not know GNU's old one. */
const sparse = Buffer.concat([
  pax([
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.name", "var/sparse"],
    ["GNU.sparse.realsize", "300000"],
  ]),
  members(
    d("var/GNUSparseFile.1/sparse", {
      type: "0",
      data: `${"2\n70000\n5\n200000\n3\n".padEnd(512, "\0")}12345678`,
    }),
  ),
]);

const LAYERS: readonly Buffer[] = [
  archive(
    members(
      d("./", { mode: 0o751, mtime: 3_000_000_000n }),
      d("usr/", { xattrs: [["user.usr", "1"]], mtime: T + 123_456_789n }),
      d("usr/lib/", { mode: 0o2775, gid: 50, uid: 3_000_000 }),
      f("usr/lib/a"),
      f("usr/lib/b"),
      d("usr/bin/"),
      f("usr/bin/su", "su", { mode: 0o4755, uid: 4_000_000_000, gid: 2_097_152 }),
      f("usr/bin/ping", "ping", {
        xattrs: [
          ["security.capability", CAPABILITY],
          ["user.x", "a=b\nc\xff"],
        ],
      }),
      { name: "usr/bin/hard", type: "1", link: "usr/bin/ping" },
      { name: "bin", type: "2", link: "usr/bin", mtime: T + 7n, uid: 9 },
      d("dev/"),
      { name: "dev/null", type: "3", major: 1, minor: 3, mode: 0o666, mtime: T },
      { name: "dev/disk", type: "4", major: 259, minor: 70_000, mode: 0o640, gid: 6, mtime: T },
      { name: "dev/pipe", type: "6", mode: 0o620, mtime: T },
      d("var/", { mode: 0o1777 }),
      d("var/gone/"),
      f("var/gone/x"),
      d("var/opaque/", { uid: 3, mode: 0o700 }),
      f("var/opaque/old"),
      d("var/opaque/sub/", { uid: 4 }),
      f("var/opaque/sub/old"),
      d("var/deep/", { uid: 5, mtime: T + 1n }),
      d("var/deep/er/", { uid: 6, mode: 0o770, mtime: -1_500_000_000n }),
      f("var/deep/er/one"),
      f("file"),
      d("turns/"),
      f("turns/x"),
      f(`long/${"n".repeat(200)}`),
      f("\xc3\xa4-\xe2\x82\xac"),
      f("early", "", { mtime: -3_600_000_000_000n }),
    ),
    sparse,
    member({ name: "old-time", data: "1" }, { 257: "ustar  \0", 136: base256(-100n, 12) }),
  ),
  tarOf(
    f("usr/lib/c"),
    f("usr/lib/.wh.a", ""),
    f("var/.wh.gone", ""),
    f("var/opaque/.wh..wh..opq", ""),
    f("var/opaque/new"),
    f("var/deep/er/two", "2", { mode: 0o600 }),
    f(".wh.file", ""),
    f(".wh.turns", ""),
    f("turns", "a file now"),
    f("var/deep/.wh.none", ""),
    f(".wh.nothing", ""),
  ),
  tarOf(
    d("usr/lib/", { mode: 0o711, mtime: T + 9n }),
    f("var/gone/again"),
    d("file/", { uid: 8 }),
    f("file/inside"),
    f("usr/bin/tool", "tool", { xattrs: [["user.t", "t"]] }),
    { name: "usr/bin/tool2", type: "1", link: "usr/bin/tool" },
    f("var/deep/er/.wh.one", ""),
    f("brand/new/folder/x"),
  ),
];

/** An OCI layout of these layers, with the tag `t` (OCI image-spec, image-layout.md). */
function makeLayout(folder: string): void {
  mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
  const sha = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
  const put = (data: Uint8Array, mediaType: string): object => {
    writeFileSync(`${folder}/blobs/sha256/${sha(data)}`, data);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${sha(data)}`,
      size: data.length,
    };
  };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const rootfs = { type: "layers", diff_ids: LAYERS.map((tar) => `sha256:${sha(tar)}`) };
  const config = put(json({ architecture: "amd64", os: "linux", config: {}, rootfs }), "config.v1+json");
  const layers = LAYERS.map((tar) => put(gzipSync(tar), "layer.v1.tar+gzip"));
  const manifest = put(json({ schemaVersion: 2, config, layers }), "manifest.v1+json");
  const tagged = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "t" } };
  writeFileSync(`${folder}/index.json`, json({ schemaVersion: 2, manifests: [tagged] }));
  writeFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
}

/**
 * Folders that no layer has a member for, at all, whose time is that of the unpacking; and those in which umoci has
 * removed something or made such a folder, whose time it does not put back.
 */
const NOBODYS = new Set(["", "var", "long", "brand", "brand/new", "brand/new/folder", "var/gone"]);

/** All that can be seen of a tree, by path. */
function look(root: string): Record<string, unknown> {
  const seen: Record<string, unknown> = {};
  const first = new Map<bigint, string>();
  for (const name of ["", ...allNames(root)]) {
    const path = `${root}/${name}`;
    const stat = lstatSync(path, { bigint: true });
    if (!first.has(stat.ino)) first.set(stat.ino, name);
    seen[name] = {
      mode: stat.mode.toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: NOBODYS.has(name) ? "any" : stat.mtimeNs,
      device: stat.isBlockDevice() || stat.isCharacterDevice() ? stat.rdev : 0n,
      xattrs: Object.fromEntries(readXattrs([AT_FDCWD, byteName(path.replace(/\/$/, ""))])),
      link: stat.isSymbolicLink() ? readlinkSync(path) : undefined,
      sameAs: stat.isDirectory() ? undefined : first.get(stat.ino),
      content: stat.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : undefined,
    };
  }
  return seen;
}

describe.skipIf(!isRoot || umoci === null)("umoci, if it is installed, and we", () => {
  test("unpack an image of three layers to the same", async () => {
    await inFolder(async (folder) => {
      makeLayout(`${folder}/image`);
      const command = [umoci ?? "", "unpack", "--image", `${folder}/image:t`, `${folder}/bundle`];
      const { exitCode, stderr } = Bun.spawnSync(command, { stderr: "pipe" });
      expect([
        exitCode,
        stderr
          .toString()
          .replace(/^.*(info|warn).*$/gm, "")
          .trim(),
      ]).toEqual([0, ""]);
      const theirs = look(`${folder}/bundle/rootfs`);
      const layers = await layersIn(folder, LAYERS);
      const ours = await merged(folder, layers, look);
      expect(Object.keys(ours).length).toBeGreaterThan(35);
      expect(ours).toEqual(theirs);
    });
  });
});
