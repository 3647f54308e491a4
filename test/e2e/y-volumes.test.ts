/** Volumes: named ones, and those that nobody has named. */
import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, suite, until } from "./harness.ts";
import { dataOf, folderOf, imageWithData, mountLine, NONE, run, volumes } from "./volumes.ts";

suite();

describe("a named volume", () => {
  test("outlives its containers, and is shared", async () => {
    const volume = newName();
    const { pid, id } = await background(...NONE, "-v", `${volume}:/data`, "busybox", "sleep", "1000");
    expect(mountLine(pid, "/data")).toContain(`/volumes/${volume}/_data /data rw`);
    expect(await run("-v", `${volume}:/d:ro`, "busybox", "sh", "-c", "echo a >/d/a; true")).toBe("");
    expect(existsSync(`${dataOf(volume)}/a`)).toBe(false);
    await run("-v", `${volume}:/d`, "busybox", "sh", "-c", "echo a >/d/a");
    expect(await ok("exec", id, "cat", "/data/a")).toBe("a");
    const shown = JSON.parse(await ok("inspect", "-f", "{{json .}}", id));
    expect(shown.Mounts).toEqual([
      {
        Type: "volume",
        Name: volume,
        Source: dataOf(volume),
        Destination: "/data",
        Driver: "local",
        Mode: "z",
        RW: true,
        Propagation: "",
      },
    ]);
    expect(shown.HostConfig.Binds).toEqual([`${volume}:/data`]);
    expect(await ok("ps", "-q", "--filter", `volume=${volume}`)).toBe(id);
    expect(await ok("ps", "--no-trunc", "--format", "{{.Mounts}} {{.LocalVolumes}}")).toBe(`${volume} 1`);
    await fails(1, new RegExp(`remove ${volume}: volume is in use - \\[${id}\\]`), "volume", "rm", volume);
    await ok("rm", "-f", "-v", id);
    expect(readdirSync(dataOf(volume))).toEqual(["a"]);
    expect(await ok("volume", "rm", volume)).toBe(volume);
    expect(readdirSync(`${ROOT}/volumes`)).toEqual([]);
  });

  test("begins with what the image has at its place, with owner and mode; only while it is empty", async () => {
    const image = await imageWithData();
    const [first, second, third] = [newName(), newName(), newName()] as const;
    await ok("volume", "create", second);
    for (const volume of [first, second]) {
      expect(await run("-v", `${volume}:/data`, image, "cat", "/data/1")).toBe("1");
      const { mode, uid, gid } = lstatSync(dataOf(volume));
      expect([mode & 0o7777, uid, gid]).toEqual([0o2750, 5, 6]);
      expect(readdirSync(folderOf(volume)).sort()).toEqual(["_data", "record.json"]);
    }
    await run("-v", `${first}:/data`, image, "sh", "-c", "rm /data/1; touch /data/mine");
    expect(await run("-v", `${first}:/data`, image, "ls", "/data")).toBe("mine");
    expect(await run("-v", `${third}:/data:nocopy`, image, "ls", "/data")).toBe("");
    await run("--mount", `src=${third},dst=/data,volume-nocopy`, image, "true");
    expect(readdirSync(dataOf(third))).toEqual([]);
    await ok("volume", "rm", first, second, third);
    await ok("rmi", image);
  });

  test("that is no name, or somebody's file, is refused before anything is made", async () => {
    for (const name of ["a/b", "~x", "a b", "-x", "éa", "a\u001b[31m"]) {
      const { code, stderr } = await mydocker([
        "run",
        "--rm",
        ...NONE,
        "-v",
        `${name}:/x`,
        "busybox",
        "true",
      ]);
      expect([name, code]).toEqual([name, 125]);
      expect(stderr).toMatch(/includes invalid characters for a local volume name/);
      await fails(1, /includes invalid characters/, "volume", "create", "--", name);
    }
    await fails(1, /volume name is too short/, "volume", "create", "a");
    await fails(1, /volume name is too long/, "volume", "create", "a".repeat(256));
    for (const name of ["../../etc", "/etc", ".."]) {
      await fails(1, /no such volume/, "volume", "rm", name);
      expect((await mydocker(["volume", "inspect", name])).stderr).toMatch(/no such volume/);
    }
    mkdirSync(folderOf("way"), { recursive: true });
    await fails(1, /no volume: remove it/, "volume", "create", "way");
    await fails(125, /no volume: remove it/, "run", "--rm", "-v", "way:/d", "busybox", "true");
    expect(await volumes()).toEqual([]);
    rmSync(folderOf("way"), { recursive: true });
  });

  test("is left out of a commit and an export, and counted by system df", async () => {
    const volume = newName();
    const name = newName();
    const script = "echo 12345 >/data/f";
    await ok("run", "--name", name, ...NONE, "-v", `${volume}:/data`, "busybox", "sh", "-c", script);
    const image = newName();
    await ok("commit", name, image);
    expect(await run(image, "ls", "/data")).toBe("");
    const line = (await ok("system", "df")).split("\n").find((one) => one.startsWith("Local Volumes"));
    expect(line).toMatch(/^Local Volumes +1 +1 +6B +0B \(0%\)$/);
    expect(await ok("system", "df", "-v")).toMatch(new RegExp(`${volume} +1 +6B`));
    await ok("rm", name);
    await ok("volume", "rm", volume);
    await ok("rmi", image);
  });

  test("is started with again; where it is gone that is said", async () => {
    const volume = newName();
    const { name, id } = await background(
      ...NONE,
      "-v",
      `${volume}:/data`,
      "busybox",
      "sh",
      "-c",
      "echo x >>/data/x",
    );
    await until(async () => (await ok("inspect", "-f", "{{.State.Running}}", id)) === "false", "the end");
    await ok("start", name);
    await until(() => readFileSync(`${dataOf(volume)}/x`, "utf8") === "x\nx\n", "the second run");
    await until(async () => (await ok("inspect", "-f", "{{.State.Running}}", id)) === "false", "the end");
    rmSync(folderOf(volume), { recursive: true });
    await fails(1, new RegExp(`its volume ${volume} is gone`), "start", name);
    await ok("rm", name);
  });
});

describe("a volume that nobody has named", () => {
  test("has 64 hexadecimal digits; rm -v and --rm remove it, rm leaves it", async () => {
    const args = [...NONE, "-v", "/a", "--mount", "type=volume,dst=/b", "busybox", "true"];
    await ok("run", "--rm", ...args);
    expect(await volumes()).toEqual([]);
    const [one, two] = [newName(), newName()] as const;
    await ok("run", "--name", one, ...args);
    await ok("create", "--name", two, ...args);
    const all = await volumes();
    expect(all).toHaveLength(4);
    for (const volume of all) expect(volume).toMatch(/^[0-9a-f]{64}$/);
    expect(Object.keys(JSON.parse(await ok("inspect", "-f", "{{json .Config.Volumes}}", one)))).toEqual([
      "/a",
    ]);
    expect(JSON.parse(await ok("volume", "inspect", "-f", "{{json .Labels}}", all[0] as string))).toEqual({
      "com.docker.volume.anonymous": "",
    });
    await ok("rm", "-v", one);
    expect(await volumes()).toHaveLength(2);
    await ok("rm", two);
    expect(await volumes("-f", "dangling=true")).toHaveLength(2);
    const pruned = await ok("volume", "prune", "-f");
    expect(pruned).toMatch(/^Deleted Volumes:\n[0-9a-f]{64}\n[0-9a-f]{64}\n\nTotal reclaimed space: 0B$/);
  });

  test("is removed with its --rm container, however that ends", async () => {
    const { name, pid } = await background("--rm", ...NONE, "-v", "/a", "busybox", "sleep", "1000");
    expect(await volumes()).toHaveLength(1);
    await ok("restart", "-t", "0", name);
    expect(await volumes()).toHaveLength(1);
    process.kill(Number(await ok("inspect", "-f", "{{.State.Pid}}", name)) || pid, "SIGKILL");
    await until(async () => (await volumes()).length === 0, "the volume to go");
    const failed = await mydocker(["run", ...NONE, "-v", "/a", "busybox", "nosuch"]);
    expect(failed.code).toBe(127);
    expect(await volumes()).toEqual([]);
  });

  test("stays while another container has it", async () => {
    const { name } = await background(...NONE, "-v", "/a", "busybox", "sh", "-c", "echo 1 >/a/1; sleep 1000");
    const other = await background("--rm", ...NONE, "--volumes-from", name, "busybox", "sleep", "1000");
    await ok("rm", "-f", "-v", name);
    expect(await volumes()).toHaveLength(1);
    expect(await ok("exec", other.name, "cat", "/a/1")).toBe("1");
    await ok("rm", "-f", other.name);
    await until(async () => (await volumes()).length === 0, "the volume to go");
  });
});

describe("volume", () => {
  test("create, ls, inspect, rm, prune are Docker's", async () => {
    expect(await ok("volume", "ls")).toBe("DRIVER    VOLUME NAME");
    expect(await ok("volume", "create", "--label", "a=1", "--label", "b", "v1")).toBe("v1");
    expect(await ok("volume", "create", "v1")).toBe("v1");
    expect((await mydocker(["volume", "create", "--label", "a=2", "v1"])).stderr).toMatch(/keeps its labels/);
    const unnamed = await ok("volume", "create");
    expect(unnamed).toMatch(/^[0-9a-f]{64}$/);
    await ok("volume", "create", "-d", "local", "v2");
    expect(await ok("volume", "ls", "--filter", "name=v")).toBe(
      "DRIVER    VOLUME NAME\nlocal     v1\nlocal     v2",
    );
    expect(await volumes("--filter", "label=a=1")).toEqual(["v1"]);
    expect(await volumes("--filter", "driver=other")).toEqual([]);
    expect(await ok("volume", "ls", "--format", "{{.Name}}|{{.Labels}}|{{.Scope}}", "-f", "label=b")).toBe(
      "v1|a=1,b=|local",
    );
    const [shown] = JSON.parse(await ok("volume", "inspect", "v1"));
    expect(shown).toEqual({
      CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      Driver: "local",
      Labels: { a: "1", b: "" },
      Mountpoint: dataOf("v1"),
      Name: "v1",
      Options: null,
      Scope: "local",
    });
    expect(await ok("inspect", "-f", "{{.Mountpoint}}", "v2")).toBe(dataOf("v2"));
    expect(await ok("inspect", "--type", "volume", "-f", "{{.Name}}", "v2")).toBe("v2");
    await fails(1, /nosuch: no such volume/, "volume", "rm", "nosuch");
    expect(await ok("volume", "rm", "-f", "nosuch")).toBe("nosuch");
    await fails(1, /plugin "nfs" not found/, "volume", "create", "-d", "nfs", "v3");
    await fails(1, /invalid option 'type=tmpfs'/, "volume", "create", "-o", "type=tmpfs", "v3");
    const asked = await mydocker(["volume", "prune"], { stdin: "n\n" });
    expect(asked.stdout).toMatch(
      /^WARNING! This will remove anonymous local volumes not used by at least one/,
    );
    expect(await ok("volume", "prune", "-f")).toContain(unnamed);
    writeFileSync(`${dataOf("v2")}/f`, "12345");
    expect(await ok("volume", "prune", "-f", "-a", "--filter", "label!=a")).toBe(
      "Deleted Volumes:\nv2\n\nTotal reclaimed space: 5B",
    );
    expect(await ok("volume", "prune", "-f", "--filter", "all=1")).toContain("v1");
    await fails(125, /invalid filter 'x'/, "volume", "ls", "-f", "x=y");
  });
});
