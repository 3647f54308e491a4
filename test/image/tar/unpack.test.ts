import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { pack } from "tar-stream";
import { AT_FDCWD } from "../../../src/linux/file.ts";
import { readXattrs } from "../../../src/linux/xattr.ts";
import { inFolder, isRoot, openFiles, type Part, piecesOf, tarOf, unpackTo } from "../support.ts";

async function unpacked<T>(
  parts: readonly Part[],
  look: (folder: string) => T | Promise<T>,
  size?: number,
): Promise<T> {
  return await inFolder(async (folder) => {
    await unpackTo(folder, tarOf(...parts), size);
    return await look(folder);
  });
}

function xattrs(path: string): Record<string, string> {
  return Object.fromEntries(readXattrs([AT_FDCWD, path]));
}

describe.skipIf(!isRoot)("what an archive holds", () => {
  test("owners, modes with set-id bits, times in ns", async () => {
    const parts: Part[] = [
      { name: "./", type: "5", mode: 0o750, mtime: 1_000_000_000_000_000_000n },
      { name: "./d/", type: "5", mode: 0o2775, uid: 3, gid: 4, mtime: 1_600_000_000_123_456_789n },
      { name: "./d/su", mode: 0o4755, uid: 1000, gid: 100, mtime: 1_500_000_000_000_000_001n, data: "hello" },
      { name: "./old", mtime: -1_500_000_000n, uid: 3_000_000, data: "" },
    ];
    await unpacked(parts, (folder) => {
      const root = lstatSync(folder, { bigint: true });
      expect([root.mode & 0o7777n, root.mtimeNs]).toEqual([0o750n, 1_000_000_000_000_000_000n]);
      const d = lstatSync(`${folder}/d`, { bigint: true });
      expect([d.mode & 0o7777n, d.uid, d.gid, d.mtimeNs]).toEqual([
        0o2775n,
        3n,
        4n,
        1_600_000_000_123_456_789n,
      ]);
      const su = lstatSync(`${folder}/d/su`, { bigint: true });
      expect([su.mode & 0o7777n, su.uid, su.gid, su.size]).toEqual([0o4755n, 1000n, 100n, 5n]);
      expect(su.mtimeNs).toBe(1_500_000_000_000_000_001n);
      const old = lstatSync(`${folder}/old`, { bigint: true });
      expect([old.mtimeNs, old.uid]).toEqual([-1_500_000_000n, 3_000_000n]);
    });
  });

  test("links, FIFOs, devices", async () => {
    const parts: Part[] = [
      { name: "bin/sh", data: "x" },
      { name: "bin/ash", type: "1", link: "./bin/sh" },
      { name: "sh", type: "2", link: "/bin/sh", uid: 7, mtime: 1_000_000_000n },
      { name: "up", type: "2", link: "../../.." },
      { name: "alias", type: "1", link: "sh" },
      { name: "fifo", type: "6", mode: 0o620 },
      { name: "null", type: "3", major: 1, minor: 3, mode: 0o666 },
      { name: "disk", type: "4", major: 259, minor: 70000, mode: 0o600, gid: 6 },
    ];
    await unpacked(parts, (folder) => {
      expect(lstatSync(`${folder}/bin/ash`).ino).toBe(lstatSync(`${folder}/bin/sh`).ino);
      expect(readlinkSync(`${folder}/sh`)).toBe("/bin/sh");
      expect([lstatSync(`${folder}/sh`).uid, lstatSync(`${folder}/sh`).mtimeMs]).toEqual([7, 1000]);
      expect(readlinkSync(`${folder}/up`)).toBe("../../..");
      expect(lstatSync(`${folder}/alias`).isSymbolicLink()).toBe(true);
      expect([lstatSync(`${folder}/fifo`).isFIFO(), lstatSync(`${folder}/fifo`).mode & 0o777]).toEqual([
        true,
        0o620,
      ]);
      expect([lstatSync(`${folder}/null`).isCharacterDevice(), lstatSync(`${folder}/null`).rdev]).toEqual([
        true,
        0x103,
      ]);
      const disk = lstatSync(`${folder}/disk`);
      expect([disk.isBlockDevice(), disk.gid]).toEqual([true, 6]);
      expect(disk.rdev).toBe((70000 & 0xff) | (259 << 8) | ((70000 & 0xfff00) << 12));
    });
  });

  test("extended attributes, and file capabilities that are no UTF-8", async () => {
    // cap_setuid,cap_setgid=ep and more: version 2 with bytes above 0x7f
    const capability = "\x01\0\0\x02\xc0\xff\0\x80\0\0\0\0\xc2\0\0\0\0\0\0\0";
    const set: [string, string][] = [
      ["security.capability", capability],
      ["user.plain", "a=b\nc"],
      ["user.odd=name%3D", ""],
      ["trusted.overlay.opaque", "y"],
      ["user.overlay.redirect", "/etc"],
    ];
    await unpacked(
      [
        { name: "f", data: "x", xattrs: set, uid: 5 },
        { name: "d/", type: "5", xattrs: [["user.d", "1"]] },
      ],
      (folder) => {
        const found = xattrs(`${folder}/f`);
        expect(Object.keys(found).sort()).toEqual(["security.capability", "user.odd=name%3D", "user.plain"]);
        expect(found["user.plain"]).toBe("a=b\nc");
        expect(found["user.odd=name%3D"]).toBe("");
        // the kernel gives v2 back as it was
        expect(found["security.capability"]).toBe(capability);
        expect(xattrs(`${folder}/d`)).toEqual({ "user.d": "1" });
      },
    );
  });

  test("names that are long, not ASCII, not UTF-8", async () => {
    const long = `${"long-".repeat(40)}/${"n".repeat(255)}`;
    const names = [long, "\xc3\xa4", "\xff\xfe", `\xff${"x".repeat(120)}`];
    await unpacked(
      names.map((name) => ({ name, data: "1" })),
      (folder) => {
        const found = readdirSync(folder, { encoding: "buffer" }).map((name) => name.toString("latin1"));
        expect(found.sort()).toEqual(["long-".repeat(40), ...names.slice(1)].sort());
        expect(readFileSync(`${folder}/${long}`, "utf8")).toBe("1");
      },
    );
  });

  test("GNU long names and links", async () => {
    const gnu = (type: string, text: string): Part => ({
      name: "././@LongLink",
      type: type as "0",
      data: `${text}\0`,
    });
    const name = "g".repeat(150);
    const parts = [
      gnu("L", name),
      { name: "short", data: "1" },
      gnu("K", `/${name}`),
      { name: "l", type: "2", link: "x" } as const,
    ];
    await unpacked(parts, (folder) => {
      expect(readFileSync(`${folder}/${name}`, "utf8")).toBe("1");
      expect(readlinkSync(`${folder}/l`)).toBe(`/${name}`);
    });
  });

  test("the same name again: the last one counts", async () => {
    const parts: Part[] = [
      { name: "a", data: "1" },
      { name: "a", data: "22", mode: 0o600 },
      { name: "d/", type: "5" },
      { name: "d", data: "file" },
      { name: "e", data: "" },
      { name: "e/f", data: "" },
    ];
    await unpacked(parts.slice(0, 4), (folder) => {
      expect(readFileSync(`${folder}/a`, "utf8")).toBe("22");
      expect(readFileSync(`${folder}/d`, "utf8")).toBe("file");
    });
    await expect(unpacked(parts, () => undefined)).rejects.toThrow('"e/f": its folder "e" is not a folder');
  });

  test("a file through a link that stays inside", async () => {
    const parts: Part[] = [
      { name: "usr/lib/", type: "5" },
      { name: "lib", type: "2", link: "usr/lib" },
      { name: "lib/x", data: "1" },
    ];
    await unpacked(parts, (folder) => expect(readFileSync(`${folder}/usr/lib/x`, "utf8")).toBe("1"));
  });

  test.each([1, 511, 512, 513, 100_000])("in pieces of %d bytes", async (size) => {
    const data = Buffer.alloc(70_000, "content ");
    const parts = [
      { name: "a", data },
      { name: "b", data: "2" },
      ...Array.from({ length: 300 }, (_, i) => ({ name: `d${i}/`, type: "5" }) as const),
    ];
    await unpacked(
      parts,
      (folder) => {
        expect(readFileSync(`${folder}/a`).equals(data)).toBe(true);
        expect(readdirSync(folder).length).toBe(302);
      },
      size,
    );
  });

  test("more folders than descriptors are kept for", async () => {
    const parts = Array.from({ length: 400 }, (_, i) => [
      { name: `d${i}/e/f`, data: String(i) },
      { name: `d${(i * 7) % 400}/link${i}`, type: "1", link: `d${i}/e/f` } as const,
    ]).flat();
    const before = openFiles();
    await unpacked(parts, (folder) => expect(readFileSync(`${folder}/d7/link1`, "utf8")).toBe("1"));
    expect(openFiles()).toEqual(before);
  });

  test("what tar-stream itself packs", async () => {
    const archive = pack();
    archive.entry({ name: "dir", type: "directory" });
    archive.entry({ name: "dir/file", mode: 0o640, mtime: new Date(5000) }, "text");
    archive.finalize();
    const bytes = Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Uint8Array>));
    await inFolder(async (folder) => {
      expect(await unpackTo(folder, bytes)).toMatchObject({ members: 2, size: 4 });
      expect(lstatSync(`${folder}/dir/file`).mtimeMs).toBe(5000);
    });
    expect((await Array.fromAsync(piecesOf(bytes, 100))).length).toBeGreaterThan(1);
  });
});
