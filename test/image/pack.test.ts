import { describe, expect, test } from "bun:test";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { packTree } from "../../src/image/pack.ts";
import { AT_FDCWD, close, O, open } from "../../src/linux/file.ts";
import { removeTree } from "../../src/linux/folder.ts";
import { CLONE, MNT_DETACH, mount, setns, umount, unshare } from "../../src/linux/mount.ts";
import {
  byteName,
  chownName,
  linkName,
  mknodName,
  openName,
  readNames,
  setTimeName,
  statName,
} from "../../src/linux/tree.ts";
import { readXattrs, writeXattr } from "../../src/linux/xattr.ts";
import { inFolder, isRoot, unpackTo } from "./support.ts";

/** All that a tree is, for comparison: a line for each member. */
function describeTree(path: string): string[] {
  const lines: string[] = [];
  const groups = new Map<string, number>();
  const walk = (fd: number, prefix: string): void => {
    for (const name of readNames(fd)) {
      const { mode, uid, gid, mtime, major, minor, nlink, size, file } = statName(fd, name);
      const folder = (mode & 0o170000) === 0o040000;
      if (nlink > 1 && !folder && !groups.has(file)) groups.set(file, groups.size);
      const group = folder ? "" : `${nlink} ${groups.get(file) ?? ""} ${size}`;
      const xattrs = JSON.stringify(readXattrs([fd, name]).sort());
      lines.push([prefix + name, mode.toString(8), uid, gid, mtime, major, minor, group, xattrs].join(" "));
      if (!folder) continue;
      const inner = openName(fd, name, O.RDONLY | O.DIRECTORY);
      walk(inner, `${prefix}${name}/`);
      close(inner);
    }
  };
  const fd = open(path, O.RDONLY | O.DIRECTORY);
  walk(fd, "");
  close(fd);
  return lines;
}

function makeAll(root: string): void {
  mkdirSync(`${root}/d/e`, { recursive: true });
  writeFileSync(`${root}/d/big`, Buffer.alloc(3_000_001, "0123456789abcde"));
  writeFileSync(`${root}/d/su`, "x", { mode: 0o600 });
  linkSync(`${root}/d/big`, `${root}/z-hard`);
  symlinkSync("/nowhere", `${root}/link`);
  symlinkSync(`/${"t".repeat(300)}`, `${root}/longlink`);
  writeFileSync(`${root}/${"n".repeat(200)}`, "long name");
  const fd = open(root, O.RDONLY | O.DIRECTORY);
  mknodName(fd, "fifo", 0o010644, 0, 0);
  mknodName(fd, "null", 0o020666, 1, 3);
  mknodName(fd, "disk", 0o060660, 8, 1);
  linkName(fd, "null", fd, "null2");
  close(openName(fd, "\xff\xfe not utf-8", O.WRONLY | O.CREAT, 0o644));
  chownName(fd, "d", 5, 3_000_000);
  chownName(fd, "link", 9, 9);
  const su = openName(fd, "d/su", O.RDONLY);
  Bun.spawnSync(["chmod", "6755", `${root}/d/su`]);
  writeXattr(su, "security.capability", "\x01\0\0\x02\xc0\xff\0\x80\0\0\0\0\xc2\0\0\0\0\0\0\0");
  writeXattr(su, "user.a=b", "1\n2\xff");
  close(su);
  setTimeName(fd, "d/e", 1_600_000_000_000_000_007n);
  setTimeName(fd, "link", -1n);
  close(fd);
}

describe.skipIf(!isRoot)("packTree", () => {
  test("a tree with all kinds of files comes back as it was", async () => {
    await inFolder(async (folder) => {
      makeAll(`${folder}/tree`);
      packTree(`${folder}/tree`, `${folder}/out.tar`);
      expect(lstatSync(`${folder}/out.tar`).mode & 0o777).toBe(0o600);
      mkdirSync(`${folder}/back`);
      await unpackTo(`${folder}/back`, readFileSync(`${folder}/out.tar`));
      expect(describeTree(`${folder}/back`)).toEqual(describeTree(`${folder}/tree`));
      expect(readFileSync(`${folder}/back/z-hard`).equals(readFileSync(`${folder}/tree/d/big`))).toBe(true);
      // GNU tar, which is not ours, reads it too
      expect(
        Bun.spawnSync(["tar", "-df", `${folder}/out.tar`, "-C", `${folder}/tree`]).stdout.toString(),
      ).toBe("");
      removeTree(`${folder}/tree`);
      removeTree(`${folder}/back`);
      expect(readdirSync(folder)).toEqual(["out.tar"]);
    });
  });

  test("a name that exists is refused and stays as it is", async () => {
    await inFolder(async (folder) => {
      mkdirSync(`${folder}/tree`);
      writeFileSync(`${folder}/out.tar`, "mine");
      expect(() => packTree(`${folder}/tree`, `${folder}/out.tar`)).toThrow("it exists already");
      expect(readFileSync(`${folder}/out.tar`, "utf8")).toBe("mine");
      expect(readdirSync(folder).sort()).toEqual(["out.tar", "tree"]);
    });
  });

  test("sockets are left out; links are not followed; a comment is no member", async () => {
    await inFolder(async (folder) => {
      mkdirSync(`${folder}/tree/etc`, { recursive: true });
      writeFileSync(`${folder}/tree/etc/passwd`, "yes");
      symlinkSync("/etc", `${folder}/tree/out`);
      const server = Bun.listen({ unix: `${folder}/tree/socket`, socket: { data() {} } });
      const fd = open(`${folder}/tree`, O.RDONLY | O.DIRECTORY);
      packTree(fd, `${folder}/out.tar`, { comment: "what a größer is" });
      close(fd);
      server.stop(true);
      const told = Bun.spawnSync(["tar", "-tf", `${folder}/out.tar`]);
      expect(told.stderr.toString()).toBe("");
      const listed = told.stdout.toString().trim().split("\n");
      expect(listed).toEqual(["./", "etc/", "etc/passwd", "out"]);
    });
  });

  test("other mounts are not entered", async () => {
    await inFolder((folder) => {
      for (const name of ["mounted", "bound", "plain"])
        mkdirSync(`${folder}/tree/${name}`, { recursive: true });
      writeFileSync(`${folder}/tree/plain/kept`, "1");
      writeFileSync(`${folder}/tree/file`, "");
      const own = open("/proc/thread-self/ns/mnt", O.RDONLY);
      unshare(CLONE.NEWNS);
      try {
        mount("", "/", "", (1 << 18) | 16384);
        mount("tmpfs", `${folder}/tree/mounted`, "tmpfs", 0);
        writeFileSync(`${folder}/tree/mounted/secret`, "1");
        // on the same device: only the mount's id tells
        mount(`${folder}/tree/plain`, `${folder}/tree/bound`, "", 4096);
        mount("/etc/passwd", `${folder}/tree/file`, "", 4096);
        packTree(`${folder}/tree`, `${folder}/out.tar`);
      } finally {
        for (const name of ["mounted", "bound", "file"]) umount(`${folder}/tree/${name}`, MNT_DETACH);
        setns(own, CLONE.NEWNS);
        close(own);
      }
      const listed = Bun.spawnSync(["tar", "-tvf", `${folder}/out.tar`]).stdout.toString();
      expect(listed.match(/\S+$/gm)).toEqual(["./", "bound/", "file", "mounted/", "plain/", "plain/kept"]);
      expect(listed).toMatch(/ 0 \S+ \S+ file$/m);
    });
  });

  test("overlay's whiteouts and opaque folders", async () => {
    await inFolder(async (folder) => {
      for (const name of ["lower/gone", "lower/opaque", "upper", "work", "merged"])
        mkdirSync(`${folder}/${name}`, { recursive: true });
      writeFileSync(`${folder}/lower/gone/a`, "1");
      writeFileSync(`${folder}/lower/opaque/old`, "1");
      writeFileSync(`${folder}/lower/kept`, "1");
      linkSync(`${folder}/lower/kept`, `${folder}/lower/kept2`);
      const options = `lowerdir=${folder}/lower,upperdir=${folder}/upper,workdir=${folder}/work`;
      mount("overlay", `${folder}/merged`, "overlay", 0, options);
      try {
        removeTree(`${folder}/merged/gone`);
        removeTree(`${folder}/merged/opaque`);
        mkdirSync(`${folder}/merged/opaque`);
        writeFileSync(`${folder}/merged/opaque/new`, "2");
        packTree(`${folder}/merged`, `${folder}/out.tar`);
      } finally {
        umount(`${folder}/merged`, MNT_DETACH);
      }
      mkdirSync(`${folder}/back`);
      await unpackTo(`${folder}/back`, readFileSync(`${folder}/out.tar`));
      expect(readdirSync(`${folder}/back`).sort()).toEqual(["kept", "kept2", "opaque"]);
      expect(readdirSync(`${folder}/back/opaque`)).toEqual(["new"]);
      expect(lstatSync(`${folder}/back/kept`).nlink).toBe(2);
      expect(readXattrs([AT_FDCWD, byteName(`${folder}/back/opaque`)])).toEqual([]);
    });
  });

  test("a disk that is full leaves nothing", async () => {
    await inFolder((folder) => {
      mkdirSync(`${folder}/small`);
      mkdirSync(`${folder}/tree`);
      writeFileSync(`${folder}/tree/big`, Buffer.alloc(4 << 20));
      mount("tmpfs", `${folder}/small`, "tmpfs", 0, "size=1m");
      try {
        expect(() => packTree(`${folder}/tree`, `${folder}/small/out.tar`)).toThrow(
          `cannot write ${folder}/small/out.tar: no space left on device`,
        );
        expect(readdirSync(`${folder}/small`)).toEqual([]);
      } finally {
        umount(`${folder}/small`, MNT_DETACH);
      }
    });
  });
});
