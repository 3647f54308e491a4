import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, scratch, suite, until } from "./harness.ts";

suite();

/** Runs a tool of the host that must succeed; returns what it said. */
function tool(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  expect({ command, exitCode, stderr: stderr.toString() }).toMatchObject({ exitCode: 0 });
  return stdout.toString();
}

/** A root file system with one of everything that a tar can carry. */
function everything(): string {
  const root = scratch();
  for (const folder of ["bin", "d", "sticky", "empty"]) mkdirSync(`${root}/${folder}`);
  copyFileSync("/bin/busybox", `${root}/bin/busybox`);
  for (const name of ["sh", "cat", "ls", "sleep", "rm", "mkdir", "touch", "mv"])
    symlinkSync("busybox", `${root}/bin/${name}`);
  linkSync(`${root}/bin/busybox`, `${root}/bin/hard`);
  writeFileSync(`${root}/d/owned`, "owned\n");
  chownSync(`${root}/d/owned`, 4_000_000, 70_000);
  chmodSync(`${root}/d/owned`, 0o6751);
  writeFileSync(`${root}/d/capable`, "x");
  chmodSync(`${root}/sticky`, 0o1777);
  writeFileSync(`${root}/d/${"long".repeat(60)}`, "long");
  writeFileSync(`${root}/d/ünï\ncödé €`, "odd");
  writeFileSync(`${root}/d/sparse`, "");
  truncateSync(`${root}/d/sparse`, 50_000_000);
  symlinkSync("/absolute/to/nowhere", `${root}/d/dangling`);
  tool("mknod", `${root}/d/device`, "c", "10", "229");
  tool("mkfifo", "-m", "640", `${root}/d/pipe`);
  tool("setfattr", "-n", "trusted.note", "-v", "blue", `${root}/d`);
  // cap_net_raw+ep as the kernel keeps it (VFS_CAP_REVISION_2)
  tool(
    "setfattr",
    "-n",
    "security.capability",
    "-v",
    "0x0100000200200000000000000000000000000000",
    `${root}/d/capable`,
  );
  utimesSync(`${root}/d/owned`, 981173106.123, 981173106.123);
  return root;
}

/** All that distinguishes the files of a tree, one line each. */
function describeTree(root: string): string[] {
  const names = ["bin/hard", "d", "sticky", "empty", ...readdirSync(`${root}/d`).map((name) => `d/${name}`)];
  return names.sort().map((name) => {
    const file = `${root}/${name}`;
    const { mode, uid, gid, size, nlink, rdev, mtimeMs } = lstatSync(file);
    const folder = (mode & 0o170000) === 0o040000;
    const xattrs = Bun.spawnSync([
      "getfattr",
      "-h",
      "-d",
      "-m",
      "^(trusted|security)\\.",
      "--absolute-names",
      file,
    ]);
    const attributes = xattrs.stdout
      .toString()
      .split("\n")
      .filter((line) => line.includes("="))
      .join();
    const time = folder ? "" : Math.floor(mtimeMs);
    const amount = folder ? "" : `${size} ${nlink}`;
    return `${JSON.stringify(name)} ${mode.toString(8)} ${uid}:${gid} ${amount} ${rdev} ${time} ${attributes}`;
  });
}

function putImage(name: string, folder: string, ...options: string[]): void {
  mkdirSync(`${ROOT}/image`, { recursive: true });
  tool("tar", "-C", folder, ...options, "-cf", `${ROOT}/image/.${name}`, ".");
  renameSync(`${ROOT}/image/.${name}`, `${ROOT}/image/${name}.tar`);
}

async function mergedOf(name: string): Promise<string> {
  return ok("inspect", "-f", "{{.GraphDriver.Data.MergedDir}}", name);
}

describe("what a root file system carries", () => {
  const XATTRS = ["--xattrs", "--xattrs-include=*", "--format=posix"];

  test("arrives in the container, and again in a container of the image that was committed from it", async () => {
    const root = everything();
    putImage("all", root, ...XATTRS);
    const first = await background("all", "sleep", "1000");
    const original = describeTree(root);
    expect(describeTree(await mergedOf(first.name))).toEqual(original);
    await ok("commit", "--tar", first.name, "again");
    const second = await background("again", "sleep", "1000");
    expect(describeTree(await mergedOf(second.name))).toEqual(original);
    expect(tool("tar", "-tf", `${ROOT}/image/again.tar`)).toContain("sparse");
    await ok("rm", "-f", first.name, second.name);
    await ok("rmi", "all", "again");
  });

  for (const [format, options] of [
    ["gnu", ["--format=gnu"]],
    ["gzipped posix", ["--format=posix", "-z"]],
    ["zstd", ["--zstd"]],
  ] as const)
    test(`a tar of GNU tar's in the format ${format} is read`, async () => {
      const root = everything();
      putImage("form", root, ...options);
      const { name } = await background("form", "sleep", "1000");
      const plain = (line: string): string => line.replace(/\S*$/, "").replace(/(\d{9,10})\d{3} $/, "$1");
      const seen = describeTree(await mergedOf(name));
      expect(seen.map(plain)).toEqual(describeTree(root).map(plain));
      await ok("rm", "-f", name);
      await ok("rmi", "form");
    });
});

for (const version of ["0.0", "0.1", "1.0"])
  test(`sparse members of the format ${version} keep their holes`, async () => {
    const root = everything();
    putImage("holes", root, "--format=posix", "--sparse", `--sparse-version=${version}`);
    const { name } = await background("holes", "sleep", "1000");
    const merged = await mergedOf(name);
    const plain = (line: string): string => line.replace(/\S*$/, "");
    expect(describeTree(merged).map(plain)).toEqual(describeTree(root).map(plain));
    const [before, after] = [statSync(`${root}/d/sparse`), statSync(`${merged}/d/sparse`)];
    expect(after.size).toBe(before.size);
    expect(after.blocks * 512).toBeLessThan(before.size / 2);
    expect(readFileSync(`${merged}/d/sparse`).equals(readFileSync(`${root}/d/sparse`))).toBe(true);
    await ok("rm", "-f", name);
    await ok("rmi", "holes");
  });

describe("commit", () => {
  test("deletes, replaces and renames as the container did; a second generation too", async () => {
    putImage("base", everything());
    const name = newName();
    const changes = [
      "rm -r /sticky", // a folder that goes
      "rm -r /d; mkdir /d; echo new >/d/only", // one that is replaced: opaque
      "rm /bin/hard; mkdir /bin/hard; echo in >/bin/hard/x", // a file that becomes a folder
      "mv /empty /full; touch /full/f", // one that moves
      "rm /bin/touch; echo text >/bin/touch", // a link that becomes a file
    ];
    await ok("run", "--name", name, "base", "sh", "-c", changes.join("; "));
    await ok("commit", name, "second");
    const look = "ls /; ls /d; cat /d/only /bin/hard/x /bin/touch; ls /full";
    const seen = await ok("run", "--rm", "second", "sh", "-c", look);
    expect(seen.split("\n")).toEqual(expect.not.arrayContaining(["sticky", "empty", "owned", "sparse"]));
    expect(seen).toMatch(/\bfull\n/);
    expect(seen).toEndWith("only\nnew\nin\ntext\nf");
    const third = newName();
    await ok("run", "--name", third, "second", "sh", "-c", "rm /d/only; echo third >/d/third");
    await ok("commit", third, "third");
    expect(await ok("run", "--rm", "third", "ls", "/d")).toBe("third");
    expect(await ok("run", "--rm", "second", "ls", "/d")).toBe("only");
    await ok("rm", name, third);
    await ok("rmi", "base", "second", "third");
  });

  test("takes nothing of volumes, /proc, /sys, /dev and what the engine provides in /etc", async () => {
    const data = scratch();
    writeFileSync(`${data}/secret`, "s");
    const { name, id } = await background(
      "-v",
      `${data}:/data`,
      "busybox",
      "sh",
      "-c",
      "echo '1.2.3.4 x' >>/etc/hosts; touch /dev/made; sleep 1000",
    );
    await until(async () => (await mydocker(["exec", name, "ls", "/dev/made"])).code === 0, "its file");
    await ok("commit", "--tar", name, "bare");
    const members = tool("tar", "-tvf", `${ROOT}/image/bare.tar`);
    expect(members).not.toMatch(/secret|dev\/made|proc\/.|sys\/./);
    expect(tool("tar", "-xOf", `${ROOT}/image/bare.tar`, "--wildcards", "*etc/hosts")).not.toContain(id);
    await ok("rm", "-f", name);
    await ok("rmi", "bare");
  });

  test("refuses names that are none, and as an archive those that exist", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await fails(125, /invalid reference format/, "commit", name, "../../escaped");
    await fails(125, /its name must do for a file/, "commit", "--tar", name, "a/b");
    await ok("commit", "--tar", name, "taken");
    const before = readFileSync(`${ROOT}/image/taken.tar`).length;
    await fails(1, /exists/, "commit", "--tar", name, "taken");
    await fails(1, /exists/, "commit", "--tar", name, "taken:latest");
    await fails(1, /exists/, "commit", "--tar", name, "busybox");
    expect(readFileSync(`${ROOT}/image/taken.tar`)).toHaveLength(before);
    const both = await Promise.all(
      ["twice", "twice"].map((image) => mydocker(["commit", "--tar", name, image])),
    );
    const [won = 1, lost = 0] = both.map(({ code }) => code).sort();
    expect([won, lost > 0]).toEqual([0, true]);
    await ok("rmi", "taken", "twice");
  });
});

describe("run --rootfs DIR", () => {
  test("sees the folder, changes nothing in it, keeps its own layer over a start, and can be committed", async () => {
    const root = everything();
    const before = describeTree(root);
    const name = newName();
    const script = "echo x >>/d/runs; rm -f /d/owned; ls /d/owned; cat /d/runs; sleep 1000";
    await ok("run", "-d", "--name", name, "--rootfs", root, "sh", "-c", script);
    await until(async () => (await mydocker(["logs", name])).stdout === "x\n", "its first run");
    await ok("restart", "-t", "0", name);
    await until(async () => (await mydocker(["logs", name])).stdout === "x\nx\nx\n", "its second run");
    expect(describeTree(root)).toEqual(before);
    await ok("commit", name, "rooted");
    expect(await ok("run", "--rm", "rooted", "cat", "/d/runs")).toBe("x\nx");
    await ok("rm", "-f", name);
    await ok("rmi", "rooted");
  });

  test("a relative folder, one behind a link, and one with odd characters in its name", async () => {
    const folder = scratch();
    renameSync(everything(), `${folder}/a,b:c d\\e`);
    symlinkSync("a,b:c d\\e", `${folder}/link`);
    for (const root of ["a,b:c d\\e", "./link", `${folder}/link`]) {
      const result = await mydocker(["run", "--rm", "--rootfs", root, "cat", "/d/owned"], { cwd: folder });
      expect(result).toEqual({ code: 0, stdout: "owned\n", stderr: "" });
    }
  });

  test("/ is the host in isolation: its programs and files, not its processes, and nothing is changed", async () => {
    const script =
      "test $$ = 1 && ls /proc | grep -c '^[0-9]'; rm -f /etc/passwd; ls /etc/passwd 2>/dev/null; ls /bin/busybox";
    const seen = await ok("run", "--rm", "--rootfs", "/", "sh", "-c", script);
    expect(seen).toMatch(/^[1-4]\n\/bin\/busybox$/);
    expect(existsSync("/etc/passwd")).toBe(true);
  });
});
