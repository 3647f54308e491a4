/** --mount, --tmpfs, --read-only, --volumes-from, as the kernel sees them. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, scratch, shell, suite } from "./harness.ts";
import { NONE, run } from "./volumes.ts";

suite();

const SLEEP = ["busybox", "sleep", "1000"];

/** The options of what is mounted at a place, and of its file system; undefined where nothing is. */
function mountAt(
  pid: number,
  place: string,
): { options: string[]; type: string; data: string[] } | undefined {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
  const fields = lines.findLast((line) => line.split(" ")[4] === place)?.split(" ");
  if (!fields) return undefined;
  const [type = "", , data = ""] = fields.slice(fields.indexOf("-") + 1);
  return { options: (fields[5] ?? "").split(","), type, data: data.split(",") };
}

describe("--mount", () => {
  test("binds what is there, and says so where nothing is", async () => {
    const folder = scratch();
    writeFileSync(`${folder}/file`, "content");
    expect(await run("--mount", `type=bind,src=${folder},dst=/b,ro`, "busybox", "cat", "/b/file")).toBe(
      "content",
    );
    expect(await run("--mount", `type=bind,source=${folder}/file,target=/f`, "busybox", "cat", "/f")).toBe(
      "content",
    );
    const missing = `type=bind,src=${folder}/nosuch,dst=/b`;
    await fails(125, /bind source path does not exist/, "run", "--rm", "--mount", missing, "busybox", "true");
    expect(existsSync(`${folder}/nosuch`)).toBe(false);
    expect((await mydocker(["ps", "-aq"])).stdout).toBe("");
    const { id } = await background(...NONE, "--mount", `type=bind,src=${folder},dst=/b,readonly`, ...SLEEP);
    const shown = JSON.parse(await ok("inspect", "-f", "{{json .}}", id));
    expect(shown.Mounts).toEqual([
      { Type: "bind", Source: folder, Destination: "/b", Mode: "", RW: false, Propagation: "rprivate" },
    ]);
    expect(shown.HostConfig.Mounts).toEqual([{ Type: "bind", Source: folder, Target: "/b", ReadOnly: true }]);
    expect(shown.HostConfig.Binds).toBeNull();
  });

  test("what is mounted below a bind is read-only with it, unless it is said otherwise", async () => {
    const folder = scratch();
    mkdirSync(`${folder}/sub`);
    const tries: [string, string[]][] = [
      [`-v ${folder}:/b:ro`, ["/b/x", "/b/sub/x"]],
      [`--mount type=bind,src=${folder},dst=/b,ro`, ["/b/x", "/b/sub/x"]],
      [
        `--mount type=bind,src=${folder},dst=/b,ro,bind-propagation=rprivate,bind-recursive=readonly`,
        ["/b/x", "/b/sub/x"],
      ],
      [`--mount type=bind,src=${folder},dst=/b,ro,bind-recursive=writable`, ["/b/x"]],
      [`--mount type=bind,src=${folder},dst=/b`, []],
    ];
    for (const [flags, refused] of tries) {
      const inner = `mount -t tmpfs none ${folder}/sub && $0 run --rm --network none ${flags} busybox sh -c 'touch /b/x; touch /b/sub/x'`;
      const { stderr } = await shell(`unshare -m --propagation private sh -c "${inner}"`);
      const seen = [...stderr.matchAll(/touch: (\S+): Read-only/g)].map(([, path]) => path as string);
      expect([flags, seen]).toEqual([flags, refused]);
    }
    const line = `unshare -m --propagation private sh -c "mount -t tmpfs none ${folder}/sub; touch ${folder}/sub/there; $0 run --rm ${NONE.join(" ")} --mount type=bind,src=${folder},dst=/b,bind-recursive=disabled busybox ls /b/sub"`;
    expect((await shell(line)).stdout).toBe("");
  });

  test("propagation is as asked for", async () => {
    const folder = scratch();
    const shown = async (more: string): Promise<string> => {
      const mount = `--mount type=bind,src=${folder},dst=/b${more}`;
      const inner = `mount -t tmpfs none ${folder} && mount --make-shared ${folder} && $0 run --rm --network none ${mount} busybox grep ' /b ' /proc/self/mountinfo`;
      const { stdout } = await shell(`unshare -m --propagation private sh -c "${inner}"`);
      return /\b(shared|master):/.exec(stdout)?.[1] ?? (stdout.includes(" /b ") ? "private" : "none");
    };
    expect(await shown("")).toBe("private");
    expect(await shown(",bind-propagation=rslave")).toBe("master");
    expect(await shown(",bind-propagation=rshared")).toBe("shared");
    // what is mounted on the host later is there
    const slave = `--mount type=bind,src=${folder},dst=/b,bind-propagation=rslave`;
    const look = "touch /b/up; while ! test -e /b/sub/late; do sleep 0.05; done; echo seen";
    const steps = [
      `mount -t tmpfs none ${folder}; mount --make-shared ${folder}; mkdir ${folder}/sub`,
      `timeout -k 1 30 $0 run --rm --network none ${slave} busybox sh -c '${look}' &`,
      `timeout 30 sh -c 'while ! test -e ${folder}/up; do sleep 0.1; done'`,
      `mount -t tmpfs none ${folder}/sub; touch ${folder}/sub/late; wait`,
    ];
    const late = await shell(`unshare -m --propagation private sh -c "${steps.join("\n")}"`);
    expect(late.stdout).toBe("seen\n");
    // and where that cannot be, it is said
    const { code, stderr } = await shell(
      `unshare -m --propagation private sh -c "$0 run --rm --network none -v ${folder}:/b:rslave busybox true"`,
    );
    expect([code, stderr]).toEqual([125, expect.stringMatching(/but it is not a shared or slave mount/)]);
  });

  test("a tmpfs has its size and mode, and Docker's options", async () => {
    const { pid, id } = await background(
      ...NONE,
      "--mount",
      "type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1750",
      "--mount",
      "type=tmpfs,dst=/ro,readonly",
      ...SLEEP,
    );
    expect(mountAt(pid, "/t")).toMatchObject({
      type: "tmpfs",
      options: expect.arrayContaining(["rw", "nosuid", "nodev", "noexec"]),
      data: expect.arrayContaining(["size=1024k", "mode=1750"]),
    });
    expect(mountAt(pid, "/ro")?.options).toContain("ro");
    expect(JSON.parse(await ok("inspect", "-f", "{{json .}}", id))).toMatchObject({
      Mounts: [
        { Type: "tmpfs", Source: "", Destination: "/t", RW: true },
        { Type: "tmpfs", Destination: "/ro", RW: false },
      ],
      HostConfig: { Mounts: [{ Type: "tmpfs", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1750 } }, {}] },
    });
  });

  test("a part of a volume, looked for inside it", async () => {
    await run(
      "-v",
      "vol:/d",
      "busybox",
      "sh",
      "-c",
      "mkdir -p /d/a/b; echo in >/d/a/b/f; ln -s a/b /d/in; ln -s /etc /d/out; ln -s ../../.. /d/up",
    );
    const part = (path: string): string[] => ["--mount", `type=volume,src=vol,dst=/p,volume-subpath=${path}`];
    expect(await run(...part("a/b"), "busybox", "cat", "/p/f")).toBe("in");
    expect(await run(...part("a/b/f"), "busybox", "cat", "/p")).toBe("in");
    expect(await run(...part("in"), "busybox", "cat", "/p/f")).toBe("in");
    for (const path of ["out", "up", "a/nosuch", "in/f/x"])
      await fails(
        125,
        /cannot mount the part ".*" of a volume/,
        "run",
        "--rm",
        ...NONE,
        ...part(path),
        "busybox",
        "true",
      );
    for (const path of ["..", "/etc", "a/../../x"])
      await fails(
        125,
        /subpath must be a relative path within the volume/,
        "run",
        "--rm",
        ...part(path),
        "busybox",
        "true",
      );
    await ok("volume", "rm", "vol");
  });

  test("labels are those of a volume that it makes", async () => {
    await run("--mount", "src=vol,dst=/d,volume-label=a=b,volume-driver=local", "busybox", "true");
    expect(await ok("volume", "inspect", "-f", "{{.Labels.a}}", "vol")).toBe("b");
    await ok("volume", "rm", "vol");
  });
});

describe("--tmpfs", () => {
  test("is Docker's: noexec, nosuid, nodev, unless said otherwise; the mode of the image's folder", async () => {
    const { pid, id } = await background(
      ...NONE,
      ...[
        "--tmpfs",
        "/a",
        "--tmpfs",
        "/b:size=2m,mode=700,exec,uid=5",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/root:rw,suid,dev",
      ],
      ...SLEEP,
    );
    expect(mountAt(pid, "/a")?.options).toEqual(expect.arrayContaining(["nosuid", "nodev", "noexec"]));
    expect(mountAt(pid, "/b")).toMatchObject({
      data: expect.arrayContaining(["size=2048k", "mode=700", "uid=5"]),
    });
    expect(mountAt(pid, "/b")?.options).not.toContain("noexec");
    expect(mountAt(pid, "/root")?.options).not.toContain("nosuid");
    const modes = await ok("exec", id, "stat", "-c", "%a", "/a", "/tmp", "/root");
    const image = await run("busybox", "stat", "-c", "%a", "/tmp", "/root");
    expect(modes).toBe(`1777\n${image}`);
    const { Tmpfs } = JSON.parse(await ok("inspect", "-f", "{{json .HostConfig}}", id));
    expect(Tmpfs).toEqual({
      "/a": "",
      "/b": "size=2m,mode=700,exec,uid=5",
      "/tmp": "",
      "/root": "rw,suid,dev",
    });
    expect(await ok("inspect", "-f", "{{.Mounts}}", id)).toBe("[]");
    await ok("restart", "-t", "0", id);
    expect(await ok("exec", id, "stat", "-f", "-c", "%T", "/a")).toBe("tmpfs");
    await fails(125, /Invalid tmpfs option "wat"/, "run", "--tmpfs", "/a:wat", "busybox", "true");
    await fails(125, /Duplicate mount point: \/a/, "run", "--tmpfs", "/a", "-v", "x:/a", "busybox", "true");
  });
});

describe("--read-only", () => {
  test("nothing of the root can be written; what is mounted can", async () => {
    const folder = scratch();
    const script = `
      for f in /x /etc/hosts /etc/resolv.conf /etc/hostname /usr/x; do touch $f 2>/dev/null && echo wrong $f; done
      for f in /dev/x /dev/shm/x /b/x /v/x /t/x; do touch $f || echo wrong $f; done
      cat /etc/hostname; pwd; echo x >/dev/null; test -w /proc/self/oom_score_adj && echo ok`;
    const mounts = ["-v", `${folder}:/b`, "-v", "/v", "--tmpfs", "/t"];
    const out = await run(
      "--read-only",
      "-h",
      "box",
      "-w",
      "/made/here",
      ...mounts,
      "busybox",
      "sh",
      "-c",
      script,
    );
    expect(out).toBe("box\n/made/here\nok");
    const { pid, id } = await background("--read-only", ...NONE, ...SLEEP);
    expect(mountAt(pid, "/")?.options).toContain("ro");
    expect(mountAt(pid, "/etc/hosts")?.options).toContain("ro");
    expect(await ok("inspect", "-f", "{{.HostConfig.ReadonlyRootfs}}", id)).toBe("true");
    expect((await mydocker(["exec", id, "touch", "/x"])).stderr).toMatch(/Read-only file system/);
    await ok("restart", "-t", "0", id);
    expect((await mydocker(["exec", id, "touch", "/x"])).stderr).toMatch(/Read-only file system/);
    // somebody else's is not
    expect(await run("busybox", "sh", "-c", "touch /x && echo ok")).toBe("ok");
  });

  test("cp keeps to it, and to the part of a volume that is mounted", async () => {
    await run("-v", "vol:/d", "busybox", "sh", "-c", "mkdir /d/a; echo in >/d/a/f; echo out >/d/f");
    const folder = scratch();
    writeFileSync(`${folder}/new`, "new");
    const part = ["--mount", "type=volume,src=vol,dst=/p,volume-subpath=a"];
    const { name } = await background("--read-only", ...NONE, ...part, ...SLEEP);
    await fails(1, /container rootfs is marked read-only/, "cp", `${folder}/new`, `${name}:/tmp/`);
    await ok("cp", `${folder}/new`, `${name}:/p/`);
    expect(readFileSync(`${ROOT}/volumes/vol/_data/a/new`, "utf8")).toBe("new");
    await ok("cp", `${name}:/p/f`, `${folder}/f`);
    expect(readFileSync(`${folder}/f`, "utf8")).toBe("in\n");
    await ok("rm", "-f", name);
    await ok("volume", "rm", "vol");
  });

  test("with a terminal, another user, a device", async () => {
    const out = await run(
      "--read-only",
      "-t",
      "-u",
      "33",
      "--device",
      "/dev/null:/dev/mine",
      "busybox",
      "sh",
      "-c",
      "tty; ls /dev/mine",
    );
    expect(out.replaceAll("\r", "")).toBe("/dev/pts/0\n/dev/mine");
  });
});

describe("--volumes-from", () => {
  test("all that the other one has, read-only if asked for; one's own come first", async () => {
    const folder = scratch();
    const name = newName();
    await ok(
      "create",
      "--name",
      name,
      ...NONE,
      "-v",
      "named:/n:ro",
      "-v",
      `${folder}:/b`,
      "-v",
      "/a",
      "busybox",
      "true",
    );
    const { pid, id } = await background(...NONE, "--volumes-from", name, "-v", `${folder}:/a`, ...SLEEP);
    expect([mountAt(pid, "/n")?.options[0], mountAt(pid, "/b")?.options[0]]).toEqual(["ro", "rw"]);
    const { Mounts, HostConfig } = JSON.parse(await ok("inspect", "-f", "{{json .}}", id));
    expect(Mounts).toHaveLength(3);
    expect(Mounts.find((one: { Destination: string }) => one.Destination === "/a").Type).toBe("bind");
    expect(HostConfig.VolumesFrom).toEqual([name]);
    const other = await background(...NONE, "--volumes-from", `${name}:ro`, ...SLEEP);
    for (const place of ["/n", "/b", "/a"]) expect(mountAt(other.pid, place)?.options[0]).toBe("ro");
    await fails(125, /No such container: nosuch/, "run", "--volumes-from", "nosuch", "busybox", "true");
    await fails(125, /invalid mode: wat/, "run", "--volumes-from", `${name}:wat`, "busybox", "true");
    await ok("rm", "-f", "-v", id, other.id, name);
    await ok("volume", "rm", "named");
  });
});
