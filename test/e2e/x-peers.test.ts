/** Images against skopeo, umoci and podman: what we unpack against what umoci does, archives there and back. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import {
  BINARY,
  background,
  ENV,
  mydocker,
  ok,
  ROOT,
  scratch,
  shell,
  start,
  statusField,
  suite,
  testWhere,
  until,
} from "./harness.ts";
import { baseTar, fileTar, layoutOf, makeImage, tarOf } from "./made-images.ts";
import { describeWithRegistry } from "./registry.ts";

suite();

/** Runs another program to its end, which must be a good one. */
function tool(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { env: { ...ENV, TMPDIR: "/var/tmp" } });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${exitCode} ${stderr}`);
  return stdout.toString().trimEnd();
}

/** All of a tree: mode, kind, owner, time, device and links of each, what is in files, and extended attributes. */
function look(folder: string): string[] {
  const stat = ["stat", "-c", "%N|%a|%F|%u|%g|%y|%t:%T|%h|%s"];
  const run = (...command: string[]): string[] =>
    tool("sh", "-c", 'cd "$0" && exec "$@"', folder, ...command).split("\n");
  const sameFile = run("find", ".", "-type", "f", "-links", "+1", "-printf", "%i %p\n");
  const groups = new Map<string, string[]>();
  for (const line of sameFile) {
    const [inode = "", path = ""] = line.split(" ");
    groups.set(inode, [...(groups.get(inode) ?? []), path].sort());
  }
  return [
    ...run("find", ".", "!", "-type", "d", "-exec", ...stat, "{}", "+").sort(),
    // the size and the number of links of a folder are the file system's
    ...run("find", ".", "-type", "d", "-exec", "stat", "-c", "%N|%a|%u|%g|%y", "{}", "+").sort(),
    ...run("find", ".", "-type", "f", "-exec", "sha256sum", "{}", "+").sort(),
    ...[...groups.values()].map((paths) => `same: ${paths.join(" ")}`).sort(),
    ...tool(
      "sh",
      "-c",
      'cd "$0" && find . -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex',
      folder,
    ).split("\n"),
  ];
}

const T = new Date("2021-02-03T04:05:06Z");
const folder = (name: string, more: object = {}) =>
  ({ name, type: "directory", mode: 0o755, mtime: T, ...more }) as const;

/** Three layers that do all that layers can do. */
async function hardLayers(): Promise<Buffer[]> {
  const lowest = await tarOf((tar) => {
    for (const name of [
      "./",
      "bin/",
      "proc/",
      "sys/",
      "dev/",
      "etc/",
      "run/",
      "gone/",
      "opaque/",
      "opaque/in/",
      "deep/",
    ])
      tar.entry(folder(name));
    tar.entry({ name: "bin/busybox", mode: 0o755, mtime: T }, readFileSync("/bin/busybox"));
    for (const name of ["sh", "sleep"])
      tar.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox", mtime: T });
    for (const name of ["hosts", "hostname", "resolv.conf"]) tar.entry({ name: `etc/${name}`, mtime: T }, "");
    for (const name of [
      "gone/a",
      "gone/b",
      "opaque/old",
      "opaque/in/old",
      "deep/one",
      "deep/two",
      "turns",
      "kept",
    ])
      tar.entry({ name, mode: 0o640, uid: 1, gid: 2, mtime: T }, name);
    tar.entry({ name: "linked", mode: 0o4755, uid: 100001, gid: 7, mtime: T }, "linked");
    tar.entry({ name: "deep/hard", type: "link", linkname: "linked" });
    tar.entry(folder("becomes-file/"));
    tar.entry({ name: "becomes-file/x", mtime: T }, "x");
  });
  const middle = await tarOf((tar) => {
    tar.entry({ name: ".wh.gone", mtime: T }, "");
    tar.entry(folder("opaque/", { mode: 0o1770, gid: 9 }));
    tar.entry({ name: "opaque/.wh..wh..opq", mtime: T }, "");
    tar.entry({ name: "opaque/new", mtime: T }, "new");
    tar.entry(folder("deep/", { mode: 0o2755 }));
    tar.entry({ name: "deep/.wh.one", mtime: T }, "");
    tar.entry(folder("turns/"));
    tar.entry({ name: "turns/inside", mtime: T, pax: { "SCHILY.xattr.user.mine": "value" } }, "inside");
    tar.entry({ name: "becomes-file", mtime: T }, "a file now");
    tar.entry({ name: "null", type: "character-device", devmajor: 1, devminor: 3, mode: 0o666, mtime: T });
    tar.entry({ name: "pipe", type: "fifo", mode: 0o600, mtime: T });
    tar.entry({ name: "dangling", type: "symlink", linkname: "/no/where", mtime: T });
  });
  const top = await tarOf((tar) => {
    tar.entry(folder("gone/", { mode: 0o700, uid: 5 }));
    tar.entry({ name: "gone/again", mtime: T }, "again");
    tar.entry({ name: "link-to-gone", type: "link", linkname: "gone/again" });
    tar.entry({ name: "deep/two", mode: 0o600, mtime: new Date("2022-01-01T00:00:00Z") }, "changed");
    tar.entry({ name: "größe", mtime: T }, "ü");
    tar.entry({ name: `${"long/".repeat(40)}name`, mtime: T }, "long");
  });
  return [lowest, middle, top];
}

const IDS = ["--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "--no-trunc"];

describeWithRegistry("an image of skopeo's and umoci's", () => {
  test("looks in a container as umoci unpacks it, file by file", async () => {
    const made = makeImage(await hardLayers(), { Cmd: ["sleep", "1000"] });
    const layout = layoutOf({ "hard:v1": made });
    const theirs = `${scratch()}/theirs`;
    tool("umoci", "raw", "unpack", "--image", `${layoutOf({ v1: made })}:v1`, theirs);
    expect(await ok("load", "-q", "-i", layout)).toBe("Loaded image: hard:v1");
    const { id } = await background("hard:v1");
    // when folders were made that no layer has a member for, and the root's time, which umoci does not set
    const shown = (tree: string[]): string[] =>
      tree.map((line) => line.replace(/^('\.(?:\/long(?:\/long)*)?'\|.*)\|.*/, "$1|now"));
    expect(shown(look(`${ROOT}/overlay2/${id}/merged`))).toEqual(shown(look(theirs)));
    await ok("rm", "-f", id);
    await ok("rmi", "hard:v1");
  });

  test("what save writes is read by skopeo, as either kind of archive, and by umoci", async () => {
    const base = await baseTar();
    const made = makeImage([base, await fileTar("f", "f\n")], { Env: ["A=b"], Labels: { l: "1" } });
    await ok("load", "-q", "-i", layoutOf({ "saved:v1": made }));
    const archive = `${scratch()}/saved.tar`;
    await ok("save", "-o", archive, "saved:v1");
    for (const from of [
      `docker-archive:${archive}`,
      `docker-archive:${archive}:saved:v1`,
      `oci-archive:${archive}`,
    ]) {
      const out = scratch();
      tool("skopeo", "copy", from, `oci:${out}:x`);
      tool("umoci", "raw", "unpack", "--image", `${out}:x`, `${out}/root`);
      expect(readFileSync(`${out}/root/f`, "utf8")).toBe("f\n");
      const config = JSON.parse(tool("skopeo", "inspect", "--config", from));
      expect(config.config).toMatchObject({ Env: ["A=b"], Labels: { l: "1" } });
      expect(config.rootfs.diff_ids).toHaveLength(2);
    }
    const folder = scratch();
    tool("tar", "-C", folder, "-xf", archive);
    const [tag] = tool("umoci", "ls", "--layout", folder).split("\n");
    tool("umoci", "raw", "unpack", "--image", `${folder}:${tag}`, `${folder}/root`);
    expect(readFileSync(`${folder}/root/f`, "utf8")).toBe("f\n");
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    // and by ourselves: the very same image
    const before = await ok("images", ...IDS, "saved");
    await ok("rmi", "saved:v1");
    expect(await ok("load", "-i", archive)).toBe("Loaded image: saved:v1");
    expect(await ok("images", ...IDS, "saved")).toBe(before);
    await ok("rmi", "saved:v1");
  });

  test("archives of skopeo's and layouts of umoci's are loaded; the image's id is the digest of its configuration", async () => {
    const made = makeImage([await baseTar(), await fileTar("f", "f\n")]);
    const layout = layoutOf({ v1: made });
    const folder = scratch();
    for (const [kind, how] of [
      ["docker-archive", ":theirs:docker"],
      ["oci-archive", ":theirs:oci"],
      ["oci", ":theirs:layout"],
    ]) {
      const path = `${folder}/${kind}`;
      tool("skopeo", "copy", `oci:${layout}:v1`, `${kind}:${path}${how}`);
      expect(await ok("load", "-q", "-i", path)).toBe(`Loaded image: ${how?.slice(1)}`);
      expect(await ok("run", "--rm", how?.slice(1) ?? "", "cat", "/f")).toBe("f");
      const id = await ok("inspect", "-f", "{{.Id}}", how?.slice(1) ?? "");
      if (kind === "docker-archive") expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
      else expect(id).toBe(made.config.digest);
    }
    const theirs = `${folder}/umoci`;
    tool("umoci", "init", "--layout", theirs);
    tool("umoci", "new", "--image", `${theirs}:mine`);
    writeFileSync(`${folder}/busybox`, readFileSync("/bin/busybox"), { mode: 0o755 });
    tool("umoci", "insert", "--image", `${theirs}:mine`, `${folder}/busybox`, "/bin/sh");
    tool(
      "umoci",
      "config",
      "--image",
      `${theirs}:mine`,
      "--config.cmd",
      "sh",
      "--config.cmd",
      "-c",
      "--config.cmd",
      "echo umoci",
    );
    const loaded = await ok("load", "-q", "-i", theirs);
    const id = /^Loaded image ID: (sha256:[0-9a-f]{64})$/.exec(loaded)?.[1] ?? "";
    expect(await ok("run", "--rm", id)).toBe("umoci");
    await ok("rmi", id, "theirs:docker", "theirs:oci", "theirs:layout");
  });

  test("several images in one archive, from stdin and to stdout, compressed in every way", async () => {
    const base = await baseTar();
    const images = {
      "several:a": makeImage([base, await fileTar("which", "a\n")]),
      "several:b": makeImage([base, await fileTar("which", "b\n")]),
      "other:c": makeImage([base, await fileTar("which", "c\n")]),
    };
    const names = Object.keys(images);
    await ok("load", "-q", "-i", layoutOf(images));
    const ids = await ok("images", ...IDS);
    const archive = new Uint8Array(
      await new Response(start(["save", "several", "other:c"]).stdout).arrayBuffer(),
    );
    const compressed = {
      plain: archive,
      gzip: gzipSync(archive),
      zstd: Bun.zstdCompressSync(archive),
    };
    const file = `${scratch()}/archive`;
    for (const bytes of Object.values(compressed)) {
      await ok("rmi", ...names);
      writeFileSync(file, bytes);
      const load = await shell(`cat ${file} | $0 load -q`);
      expect(load).toMatchObject({ code: 0, stderr: "" });
      expect(load.stdout.trimEnd().split("\n").sort()).toEqual(
        names.map((name) => `Loaded image: ${name}`).sort(),
      );
      expect(await ok("images", ...IDS)).toBe(ids);
      for (const name of names) expect(await ok("run", "--rm", name, "cat", "/which")).toBe(name.slice(-1));
    }
    // each layer once: less than two times the base
    expect(archive.length).toBeLessThan(base.length * 1.5);
    // a name that another image has goes to the new one
    await ok("tag", "several:a", "several:b");
    const again = await mydocker(["load"], { stdin: archive });
    expect(again.stdout).toContain(
      "The image several:b already exists, renaming the old one with ID sha256:",
    );
    expect(await ok("run", "--rm", "several:b", "cat", "/which")).toBe("b");
    await ok("rmi", ...names);
    const broken = archive.slice(0, archive.length / 2);
    const half = await mydocker(["load"], { stdin: broken });
    expect([half.code, half.stdout, half.stderr.trimEnd().split("\n").length]).toEqual([125, "", 1]);
    await ok("image", "prune", "-f");
    expect(readdirSync(`${ROOT}/blobs/sha256`)).toEqual([]);
  });

  test("Ctrl-C while load waits for its stdin", async () => {
    const load = Bun.spawn([BINARY, "load"], { env: ENV, stdin: "pipe", stdout: "ignore", stderr: "ignore" });
    const caught = (): bigint => BigInt(`0x0${statusField(load.pid, "SigCgt")}`);
    await until(() => (caught() & 2n) !== 0n, "it to take signals");
    load.kill("SIGINT");
    expect(await load.exited).toBe(130);
  });

  testWhere(
    Bun.which("podman") !== null,
    "podman is not installed",
    "podman loads ours, and we load podman's",
    async () => {
      const [store, folder] = [scratch(), scratch()];
      const podman = (...args: string[]): string =>
        tool(
          "podman",
          "--root",
          `${store}/root`,
          "--runroot",
          `${store}/run`,
          "--storage-driver",
          "vfs",
          "--cgroup-manager",
          "cgroupfs",
          "--events-backend",
          "none",
          ...args,
        );
      const base = await baseTar();
      const images = {
        "localhost/a:1": makeImage([base]),
        "localhost/b:2": makeImage([base, await fileTar("f", "f\n")]),
      };
      await ok("load", "-q", "-i", layoutOf(images));
      await ok("save", "-o", `${folder}/ours.tar`, "localhost/a:1", "localhost/b:2");
      expect(podman("load", "-q", "-i", `${folder}/ours.tar`)).toContain("localhost/b:2");
      const id = images["localhost/b:2"].config.digest;
      expect(podman("images", "-q", "--no-trunc", "localhost/b:2")).toBe(id);
      await ok("rmi", ...Object.keys(images));
      podman("save", "-q", "--format", "docker-archive", "-o", `${folder}/docker.tar`, "localhost/b:2");
      podman("save", "-q", "--format", "oci-archive", "-o", `${folder}/oci.tar`, "localhost/b:2");
      podman("save", "-q", "-m", "-o", `${folder}/both.tar`, "localhost/a:1", "localhost/b:2");
      for (const [file, count] of [
        ["docker", 1],
        ["oci", 1],
        ["both", 2],
      ] as const) {
        const loaded = (await ok("load", "-q", "-i", `${folder}/${file}.tar`)).split("\n");
        expect(loaded).toHaveLength(count);
        expect(loaded).toContain("Loaded image: localhost/b:2");
        expect(await ok("run", "--rm", "localhost/b:2", "cat", "/f")).toBe("f");
        await ok("rmi", "localhost/b:2");
      }
      await ok("rmi", "localhost/a:1");
      podman("rmi", "-af");
    },
  );
});
