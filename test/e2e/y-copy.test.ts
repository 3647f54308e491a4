import { describe, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { background, fails, mydocker, newName, ok, scratch, shell, start, suite, until } from "./harness.ts";

suite();

/** A container that does not run, with a few files. */
async function stopped(script = "true", ...flags: string[]): Promise<string> {
  const name = newName();
  await ok("run", "--name", name, "--network", "none", ...flags, "busybox", "sh", "-c", script);
  return name;
}

describe("out of a container", () => {
  test("a file: to a name, into a folder, over another", async () => {
    const name = await stopped("echo one >/f; chown 5:6 /f; chmod 640 /f");
    const folder = scratch();
    await ok("cp", `${name}:/f`, `${folder}/copy`);
    await ok("cp", `${name}:f`, folder);
    writeFileSync(`${folder}/old`, "much longer than that");
    await ok("cp", `${name}:/f`, `${folder}/old`);
    for (const file of ["copy", "f", "old"]) {
      expect(readFileSync(`${folder}/${file}`, "utf8")).toBe("one\n");
      const { mode, uid, gid } = statSync(`${folder}/${file}`);
      expect([mode & 0o777, uid, gid]).toEqual([0o640, 0, 0]);
    }
    await ok("cp", "-a", `${name}:/f`, `${folder}/kept`);
    expect(statSync(`${folder}/kept`)).toMatchObject({ uid: 5, gid: 6 });
  });

  test("a folder: as a new one, into one, and what is in it", async () => {
    const name = await stopped("mkdir -p /d/inner; echo x >/d/inner/x; ln -s inner /d/link; mkfifo /d/pipe");
    const folder = scratch();
    await ok("cp", `${name}:/d`, `${folder}/new`);
    expect(readdirSync(`${folder}/new`).sort()).toEqual(["inner", "link", "pipe"]);
    expect(readlinkSync(`${folder}/new/link`)).toBe("inner");
    await ok("cp", `${name}:/d`, folder);
    expect(readFileSync(`${folder}/d/inner/x`, "utf8")).toBe("x\n");
    mkdirSync(`${folder}/into`);
    await ok("cp", `${name}:/d/.`, `${folder}/into`);
    expect(readdirSync(`${folder}/into`).sort()).toEqual(["inner", "link", "pipe"]);
  });

  test("a link: itself, and with -L or a slash what it leads to, but never out", async () => {
    const name = await stopped(
      "echo in >/etc/target; ln -s /etc/target /l; ln -s /etc /le; ln -s ../../../../etc/hostname /up",
    );
    const folder = scratch();
    await ok("cp", `${name}:/l`, folder);
    expect(readlinkSync(`${folder}/l`)).toBe("/etc/target");
    await ok("cp", "-L", `${name}:/l`, `${folder}/followed`);
    expect(readFileSync(`${folder}/followed`, "utf8")).toBe("in\n");
    await ok("cp", `${name}:/le/.`, folder);
    expect(readFileSync(`${folder}/target`, "utf8")).toBe("in\n");
    // the host's /etc/hostname is another
    const result = await mydocker(["cp", "-L", `${name}:/up`, `${folder}/up`]);
    if (result.code === 0)
      expect(readFileSync(`${folder}/up`, "utf8")).not.toBe(readFileSync("/etc/hostname", "utf8"));
  });

  test("of one that runs, from its volume too", async () => {
    const volume = scratch();
    writeFileSync(`${volume}/on`, "volume");
    const { name } = await background(
      "-v",
      `${volume}:/v`,
      "busybox",
      "sh",
      "-c",
      "echo r >/run.txt; sleep 99",
    );
    const folder = scratch();
    await until(async () => (await mydocker(["cp", `${name}:/run.txt`, folder])).code === 0, "the file");
    await ok("cp", `${name}:/v/on`, folder);
    expect(readFileSync(`${folder}/on`, "utf8")).toBe("volume");
    await ok("cp", `${name}:/v`, `${folder}/whole`);
    expect(readdirSync(`${folder}/whole`)).toEqual(["on"]);
  });

  test("as a tar", async () => {
    const name = await stopped("mkdir -p /d/e; echo x >/d/e/x; ln /d/e/x /d/y; chown 7:8 /d/y");
    const list = async (path: string): Promise<string[]> =>
      (await shell(`$0 cp ${name}:${path} - | tar -tv --numeric-owner`)).stdout
        .trim()
        .split("\n")
        .map((line) => line.replace(/\s+/g, " "));
    const whole = await list("/d");
    expect(whole.map((line) => line.split(" ")[5])).toEqual(["d/", "d/e/", "d/e/x", "d/y"]);
    expect(whole[2]).toContain("7/8");
    expect((await list("/d/y"))[0]).toContain(" 7/8 2 ");
  });
});

describe("into a container", () => {
  test("files and folders with their owners, running or not", async () => {
    const folder = scratch();
    mkdirSync(`${folder}/d`);
    writeFileSync(`${folder}/d/f`, "text", { mode: 0o600 });
    chownSync(`${folder}/d/f`, 33, 44);
    symlinkSync("f", `${folder}/d/l`);
    const { name } = await background("busybox", "sleep", "99");
    for (const one of [name, await stopped()]) {
      await ok("cp", `${folder}/d`, `${one}:/new`);
      await ok("cp", `${folder}/d`, `${one}:/tmp`);
      await ok("cp", `${folder}/d/.`, `${one}:/root`);
      await ok("cp", `${folder}/d/f`, `${one}:/etc/f2`);
    }
    expect(await ok("exec", name, "stat", "-c", "%u:%g %a", "/new/f", "/tmp/d/f", "/root/f", "/etc/f2")).toBe(
      "33:44 600\n33:44 600\n33:44 600\n33:44 600",
    );
    expect(await ok("exec", name, "readlink", "/new/l")).toBe("f");
  });

  test("a link in it is followed inside it", async () => {
    const outside = `${scratch()}/outside`;
    writeFileSync(outside, "host");
    const name = await stopped(
      `mkdir /real; ln -s /real /to; ln -s ${outside} /leads; mkdir -p ${outside.slice(0, outside.lastIndexOf("/"))}`,
    );
    const file = `${scratch()}/file`;
    writeFileSync(file, "copied");
    await ok("cp", file, `${name}:/to`);
    await ok("cp", file, `${name}:/leads`);
    expect(readFileSync(outside, "utf8")).toBe("host");
    const back = scratch();
    await ok("cp", `${name}:/real/file`, back);
    expect(readFileSync(`${back}/file`, "utf8")).toBe("copied");
    await ok("cp", `${name}:${outside}`, `${back}/second`);
    expect(readFileSync(`${back}/second`, "utf8")).toBe("copied");
  });

  test("while it swaps a folder for a link to the host's, nothing gets there", async () => {
    const outside = scratch();
    const swap = `mkdir /a; while :; do mv /a /b; ln -s ${outside} /a; rm /a; mv /b /a; done 2>/dev/null`;
    const { name } = await background("busybox", "sh", "-c", swap);
    const file = `${scratch()}/file`;
    writeFileSync(file, "x");
    for (let round = 0; round < 30; round++) await mydocker(["cp", file, `${name}:/a/file`]);
    expect(readdirSync(outside)).toEqual([]);
  });

  test("from a tar, and one that would leave its folder is refused", async () => {
    const { name } = await background("busybox", "sleep", "99");
    const folder = scratch();
    writeFileSync(`${folder}/f`, "tar");
    expect((await shell(`tar -C ${folder} -c f | $0 cp - ${name}:/tmp`)).code).toBe(0);
    expect(await ok("exec", name, "cat", "/tmp/f")).toBe("tar");
    const bad = await shell(`tar -C ${folder} -cP --transform 's,f,../../evil,' f | $0 cp - ${name}:/tmp`);
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining("leads outside") });
    const nowhere = await shell(`tar -C ${folder} -c f | $0 cp - ${name}:/nowhere`);
    expect(nowhere).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Could not find the file /nowhere"),
    });
  });

  test("onto a volume, and not onto one that is read-only", async () => {
    const volume = scratch();
    const file = `${scratch()}/file`;
    writeFileSync(file, "x");
    const { name } = await background("-v", `${volume}:/v`, "busybox", "sleep", "99");
    await ok("cp", file, `${name}:/v/`);
    expect(existsSync(`${volume}/file`)).toBe(true);
    const { name: other } = await background("-v", `${volume}:/v:ro`, "busybox", "sleep", "99");
    await fails(1, /marked read-only/, "cp", file, `${other}:/v/second`);
    expect(readdirSync(volume)).toEqual(["file"]);
  });
});

describe("what cannot be copied", () => {
  test.each([
    [["/nowhere-here", "C:/"], /no such file or directory/],
    [["C:/nowhere-here", "/tmp"], /Could not find the file \/nowhere-here in container/],
    [["/etc/passwd", "C:/nowhere/x"], /no such folder/],
    [["/etc/passwd", "C:/nowhere/"], /no such folder/],
    [["/etc/apt", "C:/etc/passwd"], /it is a file/],
    [["C:/etc", "C:/tmp"], /copying between containers is not supported/],
    [["/etc", "/tmp"], /must specify at least one container source/],
    [["nobody-here:/etc", "/tmp"], /No such container/],
    [["C:", "/tmp"], /nothing behind the colon/],
  ])("%j", async (args, words) => {
    const name = newName();
    await ok("create", "--name", name, "busybox", "true");
    await fails(1, words, "cp", ...args.map((arg) => arg.replace(/^C:/, `${name}:`)));
  });

  test("a folder that is there is no file's", async () => {
    const name = await stopped("mkdir -p /d/file/inner");
    const folder = scratch();
    mkdirSync(`${folder}/d`);
    writeFileSync(`${folder}/d/file`, "");
    await fails(1, /folder that is not empty/, "cp", `${folder}/d`, `${name}:/`);
  });

  test("a large file, broken off, leaves the container as it is to be used", async () => {
    const { name } = await background("busybox", "sleep", "99");
    const file = `${scratch()}/large`;
    expect(Bun.spawnSync(["truncate", "-s", "300M", file]).exitCode).toBe(0);
    const child = start(["cp", file, `${name}:/large`]);
    await Bun.sleep(60);
    child.kill("SIGKILL");
    await child.exited;
    await ok("cp", file, `${name}:/large`);
    expect(await ok("exec", name, "stat", "-c", "%s", "/large")).toBe(String(300 << 20));
    expect(lstatSync(file).size).toBe(300 << 20);
  });
});
