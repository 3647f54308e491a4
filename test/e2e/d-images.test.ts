import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type Pack, pack } from "tar-stream";
import { background, fails, mydocker, newName, ok, ROOT, suite, until } from "./harness.ts";

suite();

const busybox = readFileSync("/bin/busybox");

/** A rootfs with busybox as sh, cat, ls and true, and whatever `more` adds, as tar. */
async function rootfs(more: (tar: Pack) => void = () => {}): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: "./", type: "directory", mode: 0o755 });
  tar.entry({ name: "bin/", type: "directory", mode: 0o755 });
  tar.entry({ name: "bin/busybox", mode: 0o755 }, busybox);
  for (const name of ["sh", "cat", "ls", "true", "stat", "find", "id", "sleep"])
    tar.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox" });
  more(tar);
  tar.finalize();
  return Buffer.from(await new Response(tar as unknown as ReadableStream).arrayBuffer());
}

/** Puts an image where the user puts one. */
function putImage(name: string, data: Buffer): void {
  mkdirSync(`${ROOT}/image`, { recursive: true });
  // as a careful user does: a half-written file is never seen
  writeFileSync(`${ROOT}/image/.new`, data);
  renameSync(`${ROOT}/image/.new`, `${ROOT}/image/${name}.tar`);
}

const layers = (): string[] => (existsSync(`${ROOT}/layers`) ? readdirSync(`${ROOT}/layers`) : []);

describe("images the old way", () => {
  test("image/NAME.tar, plain or gzipped, is found by run NAME and unpacked once, shared as overlay's lower", async () => {
    const tar = await rootfs((more) => more.entry({ name: "hello" }, "plain\n"));
    putImage("plain", tar);
    putImage("zipped", gzipSync(tar));
    expect(await ok("run", "--rm", "plain", "cat", "/hello")).toBe("plain");
    expect(await ok("run", "--rm", "zipped", "cat", "/hello")).toBe("plain");
    const count = layers().length;
    const [a, b] = [
      await background("plain", "sleep", "1000"),
      await background("plain:latest", "sleep", "1000"),
    ];
    const lower = (pid: number): string =>
      /lowerdir=([^,]+)/.exec(readFileSync(`/proc/${pid}/mountinfo`, "utf8"))?.[1] ?? "";
    expect(lower(a.pid)).toBe(lower(b.pid));
    expect(lower(a.pid)).toStartWith(`${ROOT}/layers/`);
    expect(layers()).toHaveLength(count);
    const listed = await ok("images", "--format", "{{.Repository}}");
    expect(listed.split("\n").sort()).toEqual(["busybox", "plain", "zipped"]);
  });

  test("a tar that changes is unpacked anew; the old layer goes when no container uses it", async () => {
    putImage("moving", await rootfs((tar) => tar.entry({ name: "v" }, "1\n")));
    const { name } = await background("moving", "sleep", "1000");
    putImage("moving", await rootfs((tar) => tar.entry({ name: "v" }, "2\n")));
    expect(await ok("run", "--rm", "moving", "cat", "/v")).toBe("2");
    expect(await ok("exec", name, "cat", "/v")).toBe("1");
    const both = layers().length;
    await ok("rm", "-f", name);
    expect(layers()).toHaveLength(both - 1);
    rmSync(`${ROOT}/image/moving.tar`);
    await fails(125, /Unable to find image 'moving/, "run", "moving", "true");
  });

  test("owners, modes, links, devices and times survive", async () => {
    putImage(
      "kept",
      await rootfs((tar) => {
        tar.entry({ name: "file", mode: 0o4750, uid: 100001, gid: 7, mtime: new Date(1e12) }, "x");
        tar.entry({ name: "hard", type: "link", linkname: "file" });
        tar.entry({ name: "null", type: "character-device", devmajor: 1, devminor: 3, mode: 0o666 });
        tar.entry({ name: "pipe", type: "fifo", mode: 0o600 });
      }),
    );
    const out = await ok(
      "run",
      "--rm",
      "kept",
      "stat",
      "-c",
      "%n %a %u %g %Y %h %F %t:%T",
      "/file",
      "/hard",
      "/null",
      "/pipe",
    );
    expect(out).toContain("/file 4750 100001 7 1000000000 2 regular file 0:0");
    expect(out).toContain("/hard 4750 100001 7 1000000000 2 regular file 0:0");
    expect(out).toMatch(/\/null 666 0 0 [0-9]+ 1 character special file 1:3/);
    expect(out).toMatch(/\/pipe 600 0 0 [0-9]+ 1 fifo 0:0/);
  });

  test("evil and broken tars are refused, with nothing half-unpacked", async () => {
    await ok("run", "--rm", "busybox", "true");
    const before = layers();
    const whole = await rootfs();
    const evil: Record<string, Buffer> = {
      dotdot: await rootfs((tar) => tar.entry({ name: "../../escaped" }, "x")),
      absolute: await rootfs((tar) => tar.entry({ name: "/escaped" }, "x")),
      through: await rootfs((tar) => {
        tar.entry({ name: "out", type: "symlink", linkname: "/var" });
        tar.entry({ name: "out/escaped" }, "x");
      }),
      hardlink: await rootfs((tar) =>
        tar.entry({ name: "h", type: "link", linkname: "../../../etc/passwd" }),
      ),
      short: whole.subarray(0, whole.length - 700_000),
      shortzip: gzipSync(whole).subarray(0, 300_000),
    };
    for (const [name, data] of Object.entries(evil)) {
      putImage(name, data);
      await fails(125, new RegExp(`cannot .*${name}`), "run", name, "true");
      rmSync(`${ROOT}/image/${name}.tar`);
    }
    expect(layers()).toEqual(before);
    expect(existsSync("/var/escaped") || existsSync("/escaped")).toBe(false);
  });

  test("a busybox.tar of the user's wins over the embedded one", async () => {
    putImage("busybox", await rootfs((tar) => tar.entry({ name: "mine" }, "mine\n")));
    expect(await ok("run", "--rm", "busybox", "cat", "/mine")).toBe("mine");
    await ok("rmi", "busybox");
    expect((await mydocker(["run", "--rm", "busybox", "cat", "/mine"])).code).toBe(1);
  });
});

describe("commit and rmi", () => {
  test("commit: the merged view, usable at once; whiteouts, opaque folders, owners, devices; a name that exists moves on", async () => {
    const name = newName();
    const script =
      "rm /etc/group; rm -r /var/www; mkdir /var/www; echo new >/var/www/n; chown 5:6 /var/www/n; chmod 2755 /var/www; mknod /q c 1 3; ln /q /q2; ln -s nowhere /dangling; mkfifo /p";
    await ok("run", "--name", name, "busybox", "sh", "-c", script);
    const first = await ok("commit", name, "changed");
    expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
    const look =
      "ls /etc/group; ls /var/www; stat -c '%a %u %g' /var/www /var/www/n; stat -c '%F %t:%T %h' /q; readlink /dangling; stat -c %F /p; ls /proc/1 >/dev/null && ls / | tr '\\n' ' '";
    const { stdout, stderr } = await mydocker(["run", "--rm", "changed", "sh", "-c", look]);
    expect(stderr).toContain("/etc/group: No such file");
    expect(stdout).toContain("n\n2755 0 0\n644 5 6\ncharacter special file 1:3 2\nnowhere\nfifo\n");
    expect(stdout).toContain("bin ");
    const second = await ok("commit", "-m", "again", name, "changed");
    expect(await ok("images", "-q", "--no-trunc", "changed")).toBe(second);
    expect(await ok("images", "-q", "--no-trunc", "--filter", "dangling=true")).toBe(first);
    expect(await ok("rmi", "changed", first)).toContain("Untagged: changed:latest");
    await fails(125, /Unable to find image 'changed/, "run", "changed", "true");
  });

  test("a running container can be committed, and goes on", async () => {
    const { name } = await background("busybox", "sh", "-c", "echo here >/f; sleep 1000");
    await until(async () => (await mydocker(["exec", name, "cat", "/f"])).code === 0, "the file");
    await ok("commit", name, "live");
    expect(await ok("run", "--rm", "live", "cat", "/f")).toBe("here");
    expect(await ok("ps", "-q")).not.toBe("");
    await ok("rmi", "live");
  });

  test("rmi refuses an image that a container uses, and a name that there is not", async () => {
    putImage("used", await rootfs());
    const { name } = await background("used", "sleep", "1000");
    const refused = await mydocker(["rmi", "used"]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`container ${name} is using its referenced image`),
    ]);
    await ok("rmi", "-f", "used");
    expect(await ok("exec", name, "cat", "/etc/hostname")).toMatch(/^[0-9]{10}$/);
    expect((await mydocker(["rmi", "nosuch"])).code).toBe(1);
    await fails(125, /invalid reference format/, "run", "UPPER/../x", "true");
  });
});
