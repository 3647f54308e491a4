import { describe, expect, test } from "bun:test";
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { TarOutput } from "../../../src/image/tar/output.ts";
import { type LayerOptions, packLayer } from "../../../src/image/tar/pack-layer.ts";
import { AT_FDCWD, close, O, open } from "../../../src/linux/file.ts";
import { removeTree } from "../../../src/linux/folder.ts";
import { MNT_DETACH, mount, umount } from "../../../src/linux/mount.ts";
import { chownName, mknodName, openName, setTimeName } from "../../../src/linux/tree.ts";
import { readXattrs, writeXattr } from "../../../src/linux/xattr.ts";
import { inFolder, isRoot, unpackTo } from "../support.ts";

/** Packs `folder`/upper as a layer into `folder`/out.tar. */
function pack(folder: string, options?: LayerOptions): { readonly size: number; readonly digest: string } {
  const root = open(`${folder}/upper`, O.RDONLY | O.DIRECTORY);
  const out = open(`${folder}/out.tar`, O.WRONLY | O.CREAT | O.TRUNC, 0o600);
  const hash = new Bun.CryptoHasher("sha256");
  try {
    const output = new TarOutput(out, hash);
    const { size } = packLayer(root, output, options);
    expect(output.size).toBe(statSync(`${folder}/out.tar`).size);
    return { size, digest: hash.digest("hex") };
  } finally {
    for (const fd of [root, out]) close(fd);
  }
}

/** What GNU tar sees in it: `mode owner size date time name`, a line for each member. */
function listed(folder: string): string[] {
  const args = ["-tvf", `${folder}/out.tar`, "--numeric-owner", "--full-time", "--quoting-style=escape"];
  const told = Bun.spawnSync(["tar", ...args], { env: { TZ: "UTC", LC_ALL: "C" } });
  expect(told.stderr.toString()).toBe("");
  return told.stdout.toString().trim().replace(/ +/g, " ").split("\n");
}

function names(folder: string): string[] {
  return listed(folder).map((line) => line.replace(/^(?:\S+\s+){5}/, ""));
}

/** Mounts an overlay on `folder`/merged while `work` runs. */
function withOverlay(folder: string, options: string, work: (merged: string) => void): void {
  for (const name of ["lower", "upper", "work", "merged"])
    mkdirSync(`${folder}/${name}`, { recursive: true });
  const places = `lowerdir=${folder}/lower,upperdir=${folder}/upper,workdir=${folder}/work`;
  mount("overlay", `${folder}/merged`, "overlay", 0, `${places},${options}`);
  try {
    work(`${folder}/merged`);
  } finally {
    umount(`${folder}/merged`, MNT_DETACH);
  }
}

const PLAIN = "redirect_dir=off,metacopy=off,index=off";

describe.skipIf(!isRoot)("packLayer", () => {
  test("what was removed, replaced, changed and made in a real overlay", async () => {
    await inFolder((folder) => {
      for (const name of ["gone/inner", "again", "deep/er", "same"])
        mkdirSync(`${folder}/lower/${name}`, { recursive: true });
      for (const name of ["removed", "again/old", "deep/er/changed", "deep/er/gone", "same/x"])
        writeFileSync(`${folder}/lower/${name}`, "lower");
      withOverlay(folder, PLAIN, (merged) => {
        for (const name of ["gone", "removed", "again", "deep/er/gone"])
          rmSync(`${merged}/${name}`, { recursive: true });
        mkdirSync(`${merged}/again`);
        writeFileSync(`${merged}/again/fresh`, "new");
        writeFileSync(`${merged}/deep/er/changed`, "changed");
        writeFileSync(`${merged}/made`, "made");
        linkSync(`${merged}/made`, `${merged}/zz`);
      });
      expect(pack(folder).size).toBe("newchangedmade".length);
      expect(names(folder)).toEqual([
        "./",
        "again/",
        "again/.wh..wh..opq",
        "again/fresh",
        "deep/",
        "deep/er/",
        "deep/er/changed",
        "deep/er/.wh.gone",
        ".wh.gone",
        "made",
        ".wh.removed",
        "zz link to made",
      ]);
      expect(readFileSync(`${folder}/out.tar`).includes("trusted.overlay")).toBe(false);
    });
  });

  test("the digest is that of all bytes", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/upper`);
      writeFileSync(`${folder}/upper/big`, Buffer.alloc(2_500_000, "0123456789abcde"));
      const { digest } = pack(folder);
      expect(digest).toBe(
        new Bun.CryptoHasher("sha256").update(readFileSync(`${folder}/out.tar`)).digest("hex"),
      );
      expect(pack(folder).digest).toBe(digest);
    });
  });

  test("attributes, capabilities, devices, long names, large owners, nanoseconds", async () => {
    await inFolder(async (folder) => {
      const upper = `${folder}/upper`;
      mkdirSync(`${upper}/d`, { recursive: true });
      const long = `${"n".repeat(200)}`;
      writeFileSync(`${upper}/${long}`, "long");
      symlinkSync(`/${"t".repeat(150)}`, `${upper}/link`);
      writeFileSync(`${upper}/d/cap`, "x", { mode: 0o755 });
      const fd = open(upper, O.RDONLY | O.DIRECTORY);
      mknodName(fd, "null", 0o020600, 1, 3);
      mknodName(fd, "disk", 0o060640, 259, 70_000);
      mknodName(fd, "fifo", 0o010644, 0, 0);
      chownName(fd, "null", 3_000_000, 4_000_000_000);
      const capability = "\x01\0\0\x02\xc0\xff\0\x80\0\0\0\0\xc2\0\0\0\0\0\0\0";
      const cap = openName(fd, "d/cap", O.RDONLY);
      writeXattr(cap, "security.capability", capability);
      writeXattr(cap, "user.a=b", "1\n2\xff");
      writeXattr(cap, "user.overlay.opaque", "y");
      writeXattr(cap, "trusted.overlay.origin", "somewhere");
      close(cap);
      setTimeName(fd, "d/cap", 1_600_000_000_123_456_789n);
      setTimeName(fd, "null", 1_600_000_000_000_000_000n);
      close(fd);
      pack(folder);
      const lines = listed(folder);
      expect(lines).toContain("crw------- 3000000/4000000000 1,3 2020-09-13 12:26:40 null");
      expect(lines).toContainEqual(expect.stringMatching(/^brw-r----- 0\/0 259,70000 .* disk$/));
      expect(lines).toContainEqual(expect.stringMatching(/^prw-r--r-- .* fifo$/));
      expect(lines).toContainEqual(expect.stringMatching(/ 2020-09-13 12:26:40\.123456789 d\/cap$/));
      expect(lines).toContainEqual(expect.stringMatching(/ link -> \/t{150}$/));
      expect(names(folder)).toContain(long);
      mkdirSync(`${folder}/back`);
      await unpackTo(`${folder}/back`, readFileSync(`${folder}/out.tar`));
      expect(readXattrs([AT_FDCWD, `${folder}/back/d/cap`]).sort()).toEqual([
        ["security.capability", capability],
        ["user.a=b", "1\n2\xff"],
      ]);
    });
  });

  test("all whiteouts of a mount may be one file: none of them becomes a hard link", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/upper`);
      const fd = open(`${folder}/upper`, O.RDONLY | O.DIRECTORY);
      mknodName(fd, "a", 0o020000, 0, 0);
      close(fd);
      linkSync(`${folder}/upper/a`, `${folder}/upper/b`);
      utimesSync(`${folder}/upper/a`, 1, 1);
      pack(folder);
      expect(listed(folder).slice(1)).toEqual(
        ["a", "b"].map((name) => `---------- 0/0 0 1970-01-01 00:00:01 .wh.${name}`),
      );
    });
  });

  test("sockets are left out; links are not followed; deep folders", async () => {
    await inFolder((folder) => {
      const deep = "d/".repeat(1000);
      mkdirSync(`${folder}/upper/${deep}`, { recursive: true });
      symlinkSync("/etc", `${folder}/upper/etc`);
      const server = Bun.listen({ unix: `${folder}/upper/socket`, socket: { data() {} } });
      try {
        pack(folder);
      } finally {
        server.stop(true);
      }
      expect(names(folder).slice(1000)).toEqual([deep, "etc -> /etc"]);
      // node's takes a second for it
      removeTree(`${folder}/upper`);
    });
  });
});

describe.skipIf(!isRoot)("what a layer's tar cannot hold", () => {
  test("a folder that was renamed, where the mount says so by an attribute", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/lower/old/inner`, { recursive: true });
      withOverlay(folder, "redirect_dir=on", (merged) => {
        expect(Bun.spawnSync(["mv", `${merged}/old`, `${merged}/new`]).exitCode).toBe(0);
      });
      expect(() => pack(folder)).toThrow(
        '"new/" has its content in another layer (trusted.overlay.redirect)',
      );
    });
  });

  test("a file of which only the metadata was copied up", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/lower/d`, { recursive: true });
      writeFileSync(`${folder}/lower/d/file`, "content");
      withOverlay(folder, "metacopy=on", (merged) => {
        expect(Bun.spawnSync(["chmod", "600", `${merged}/d/file`]).exitCode).toBe(0);
      });
      expect(() => pack(folder)).toThrow(
        '"d/file" has its content in another layer (trusted.overlay.metacopy)',
      );
    });
  });

  test("a name that would remove another file", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/upper/d`, { recursive: true });
      writeFileSync(`${folder}/upper/d/.wh.passwd`, "");
      expect(() => pack(folder)).toThrow('"d/.wh.passwd" cannot be part of an image');
    });
  });
});

describe.skipIf(!isRoot)("places for mounts", () => {
  const except = ["/etc", "/etc/hosts", "/etc/hostname", "/dev/", "/proc", "/kept", "/größe"];

  test("are left out where they are empty", async () => {
    await inFolder((folder) => {
      const upper = `${folder}/upper`;
      for (const name of ["etc", "dev", "proc", "größe", "mine"])
        mkdirSync(`${upper}/${name}`, { recursive: true });
      for (const name of ["etc/hosts", "etc/hostname", "mine/hosts"]) writeFileSync(`${upper}/${name}`, "");
      // two names of an empty file, the first of which is left out
      linkSync(`${upper}/etc/hosts`, `${upper}/mine/zz`);
      pack(folder, { except });
      expect(names(folder)).toEqual(["./", "mine/", "mine/hosts", "mine/zz"]);
    });
  });

  test("stay with what somebody else has put there", async () => {
    await inFolder((folder) => {
      const upper = `${folder}/upper`;
      for (const name of ["etc/hosts", "dev/a/b", "proc"]) mkdirSync(`${upper}/${name}`, { recursive: true });
      writeFileSync(`${upper}/etc/hostname`, "mine");
      writeFileSync(`${upper}/kept`, "1");
      const fd = open(`${upper}/proc`, O.RDONLY | O.DIRECTORY);
      mknodName(fd, "gone", 0o020000, 0, 0);
      close(fd);
      pack(folder, { except });
      expect(names(folder)).toEqual([
        "./",
        "dev/",
        "dev/a/",
        "dev/a/b/",
        "etc/",
        "etc/hostname",
        "kept",
        "proc/",
        "proc/.wh.gone",
      ]);
    });
  });
});
