/** The commands on images that are there: made, named, shown, removed. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { background, fails, mydocker, newName, ok, ROOT, scratch, shell, suite, until } from "./harness.ts";
import { baseTar, fileTar, layoutOf, type Made, makeImage } from "./made-images.ts";

suite();

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const short = (made: Made): string => made.config.digest.slice(7, 19);
const shown = async (...args: string[]): Promise<string[]> =>
  lines(await ok("images", "--format", "{{.Repository}}:{{.Tag}}", ...args)).sort();

/** Three images, of which two share all but their top layer. */
async function three(): Promise<Record<"old" | "new" | "other", Made>> {
  const base = await baseTar();
  const dated = (created: string) => ({ document: { created } });
  const images = {
    old: makeImage(
      [base, await fileTar("f", "old\n")],
      { Labels: { kind: "a", n: "1" } },
      dated("2020-01-01T00:00:00Z"),
    ),
    new: makeImage(
      [base, await fileTar("f", "new\n")],
      { Labels: { kind: "b" } },
      dated("2022-01-01T00:00:00Z"),
    ),
    other: makeImage(
      [await baseTar((tar) => tar.entry({ name: "x" }, "x"))],
      {},
      dated("2021-01-01T00:00:00Z"),
    ),
  };
  const names = { "fam/app:1": images.old, "fam/app:2": images.new, "other:latest": images.other };
  await ok("load", "-q", "-i", layoutOf(names));
  return images;
}

/** All images but the embedded one. */
async function clear(): Promise<void> {
  for (const id of lines(await ok("images", "-q", "--no-trunc", "-f", "dangling=true")))
    await ok("rmi", "-f", id);
  for (const name of await shown())
    if (name !== "busybox:latest" && !name.includes("<none>")) await ok("rmi", "-f", name);
  expect(await shown()).toEqual(["busybox:latest"]);
  await ok("image", "prune", "-f");
  expect(readdirSync(`${ROOT}/blobs/sha256`)).toEqual([]);
}

describe("images", () => {
  test("are listed the newest first, filtered, formatted", async () => {
    const { old, new: newer, other } = await three();
    const names = lines(await ok("images", "--format", "{{.Repository}}:{{.Tag}}"));
    expect(names.filter((name) => name !== "busybox:latest")).toEqual([
      "fam/app:2",
      "other:latest",
      "fam/app:1",
    ]);
    expect(lines(await ok("images", "-q", "fam/app"))).toEqual([short(newer), short(old)]);
    expect(await ok("images", "-q", "--no-trunc", "fam/app:1")).toBe(old.config.digest);
    expect(await shown("--filter", "label=kind")).toEqual(["fam/app:1", "fam/app:2"]);
    expect(await shown("--filter", "label=kind=b")).toEqual(["fam/app:2"]);
    expect(await shown("--filter", "label=kind", "--filter", "label=n=1")).toEqual(["fam/app:1"]);
    expect(await shown("--filter", "before=other", "--filter", "label=kind")).toEqual(["fam/app:1"]);
    expect(await shown("--filter", "since=other", "--filter", "label=kind")).toEqual(["fam/app:2"]);
    expect(await shown("--filter", "until=2020-06-01")).toEqual(["fam/app:1"]);
    expect(await shown("--filter", "reference=fam/*:2")).toEqual(["fam/app:2"]);
    expect(await shown("--filter", "reference=oth*", "--filter", "reference=fam/app")).toEqual([
      "fam/app:1",
      "fam/app:2",
      "other:latest",
    ]);
    await fails(125, /invalid filter 'color'/, "images", "--filter", "color=red");
    await fails(1, /No such image: nosuch/, "images", "--filter", "before=nosuch");
    const [header = "", row = ""] = (await ok("images", "other")).split("\n");
    expect(header.split(/\s{2,}/)).toEqual(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    expect(row).toMatch(new RegExp(`^other +latest +${short(other)} +[0-9]+ years ago +[0-9.]+MB$`));
    const json = JSON.parse(await ok("images", "--format", "json", "other"));
    expect(json).toMatchObject({ Repository: "other", Tag: "latest", ID: short(other) });
    await clear();
  });

  test("--tree shows a layer that images share once, with those above it", async () => {
    const { old, new: newer } = await three();
    const tree = await ok("images", "--tree", "fam/app");
    const [base = "", first = "", second = "", ...rest] = tree.split("\n");
    expect(rest).toEqual([]);
    expect(base).toMatch(/^└─ [0-9a-f]{12} [0-9.]+MB$/);
    expect([first, second].map((line) => line.replace(/[0-9a-f]{12} [0-9.]+k?B/, "LAYER"))).toEqual([
      expect.stringContaining(`   ├─ LAYER ← fam/app:2 (${short(newer)}, `),
      expect.stringContaining(`   └─ LAYER ← fam/app:1 (${short(old)}, `),
    ]);
    await clear();
  });

  test("tag: by name, by id, over another's; what is none", async () => {
    const { old, new: newer } = await three();
    await ok("tag", "fam/app:1", "copy");
    await ok("tag", short(newer), "registry.example:5000/deep/er/name:v-1.0_x");
    expect(await ok("inspect", "-f", "{{.Id}}", "copy")).toBe(old.config.digest);
    expect(await ok("run", "--rm", "registry.example:5000/deep/er/name:v-1.0_x", "cat", "/f")).toBe("new");
    expect(await ok("inspect", "-f", "{{json .RepoTags}}", short(newer))).toBe(
      '["fam/app:2","registry.example:5000/deep/er/name:v-1.0_x"]',
    );
    await ok("tag", "fam/app:2", "copy");
    expect(await ok("inspect", "-f", "{{.Id}}", "docker.io/library/copy:latest")).toBe(newer.config.digest);
    await fails(1, /No such image: nosuch/, "tag", "nosuch", "x");
    await fails(125, /invalid reference format/, "tag", "copy", "UPPER");
    await clear();
  });

  test("history: the last step first, with the size of each", async () => {
    await three();
    const rows = lines(await ok("history", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Size}}", "fam/app:1"));
    expect(rows).toEqual([
      expect.stringMatching(/^[0-9a-f]{12}\|step 1\|4B$/),
      expect.stringMatching(/^<missing>\|step 0\|[0-9.]+MB$/),
    ]);
    const raw = await ok(
      "history",
      "--human=false",
      "--no-trunc",
      "--format",
      "{{.CreatedAt}} {{.Size}}",
      "fam/app:1",
    );
    expect(lines(raw)[0]).toBe("2024-01-02T03:04:05Z 4");
    await clear();
  });
});

describe("rmi", () => {
  test("one of several names goes alone, the last one with the image and the layers that only it has", async () => {
    const { old, new: newer } = await three();
    await ok("tag", "fam/app:1", "second");
    expect(await ok("rmi", "second")).toBe("Untagged: second:latest");
    await ok("tag", "fam/app:1", "elsewhere");
    await fails(
      1,
      /conflict: unable to delete .* \(must be forced\) - image is referenced in multiple/,
      "rmi",
      short(old),
    );
    expect(lines(await ok("rmi", "-f", short(old)))).toEqual([
      "Untagged: fam/app:1",
      "Untagged: elsewhere:latest",
      `Deleted: ${old.config.digest}`,
      expect.stringMatching(/^Deleted: sha256:[0-9a-f]{64}$/),
    ]);
    expect(await ok("run", "--rm", "fam/app:2", "cat", "/f")).toBe("new");
    expect(lines(await ok("rmi", short(newer)))).toHaveLength(4);
    const both = await mydocker(["rmi", "nosuch", "other"]);
    expect(both).toMatchObject({ code: 1, stderr: "mydocker: No such image: nosuch\n" });
    expect(both.stdout).toContain("Untagged: other:latest");
    await clear();
  });

  test("what a container uses: refused, forced, or only a name taken from it", async () => {
    const { old, new: newer } = await three();
    const name = newName();
    await ok("run", "--name", name, "fam/app:1", "true");
    await fails(
      1,
      new RegExp(`\\(must force\\) - container ${name} is using its referenced image ${short(old)}`),
      "rmi",
      "fam/app:1",
    );
    await fails(1, /\(must be forced\) - image is being used by stopped container/, "rmi", short(old));
    await ok("tag", "fam/app:1", "second");
    expect(await ok("rmi", "second")).toBe("Untagged: second:latest");
    expect(await ok("rmi", "-f", "fam/app:1")).toContain(`Deleted: ${old.config.digest}`);
    expect(await ok("start", "-a", name)).toBe("");
    const { name: running } = await background("fam/app:2", "sleep", "1000");
    await fails(
      1,
      /\(cannot be forced\) - image is being used by running container/,
      "rmi",
      "-f",
      short(newer),
    );
    expect(await ok("rmi", "-f", "fam/app:2")).toBe("Untagged: fam/app:2");
    expect(await ok("exec", running, "cat", "/f")).toBe("new");
    expect(await shown("--filter", "dangling=true")).toEqual(["<none>:<none>"]);
    await ok("rm", "-f", name, running);
    await clear();
  });
});

describe("commit", () => {
  test("-m -a -c: in the image, its history, and how it runs", async () => {
    const name = newName();
    await ok("run", "--name", name, "-e", "KEPT=1", "busybox", "sh", "-c", "echo x >/x; rm /etc/group");
    const changes = [
      'CMD ["cat", "/x"]',
      'ENV A=b C="d e"',
      "LABEL l=1",
      "USER 12:34",
      "WORKDIR /tmp",
      "STOPSIGNAL SIGINT",
      "EXPOSE 80",
      "VOLUME /data",
    ];
    const id = await ok(
      "commit",
      "-m",
      "a message",
      "-a",
      "Me <me@example>",
      ...changes.flatMap((one) => ["-c", one]),
      name,
      "mine:1",
    );
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    const image = JSON.parse(await ok("inspect", "mine:1"))[0];
    expect(image).toMatchObject({ Id: id, Author: "Me <me@example>", Comment: "a message" });
    expect(image.RootFS.Layers).toHaveLength(2);
    expect(image.Config).toMatchObject({
      Cmd: ["cat", "/x"],
      Labels: { l: "1" },
      User: "12:34",
      WorkingDir: "/tmp",
      StopSignal: "SIGINT",
      ExposedPorts: { "80/tcp": {} },
      Volumes: { "/data": {} },
    });
    expect(image.Config.Env).toEqual(expect.arrayContaining(["KEPT=1", "A=b", "C=d e"]));
    expect(await ok("run", "--rm", "mine:1")).toBe("x");
    expect(
      await ok("run", "--rm", "mine:1", "sh", "-c", "id -u; id -g; pwd; echo $C; ls /etc/group 2>&1; true"),
    ).toBe("12\n34\n/tmp\nd e\nls: /etc/group: No such file or directory");
    expect(await ok("history", "--format", "{{.Comment}}|{{.CreatedBy}}", "mine:1")).toStartWith(
      "a message|sh -c echo x",
    );
    const unnamed = await ok("commit", name);
    expect(await shown("-f", "dangling=true")).toEqual(["<none>:<none>"]);
    expect(await ok("run", "--rm", unnamed.slice(7, 19), "sh", "-c", "cat /x")).toBe("x");
    await ok("rm", name);
    await clear();
  });

  test("a running container stands still meanwhile, but for --pause=false; one that is paused stays so", async () => {
    const { name } = await background(
      "busybox",
      "sh",
      "-c",
      "head -c 60000000 /dev/zero >/big; echo >/done; while :; do :; done",
    );
    await until(async () => (await mydocker(["exec", name, "test", "-e", "/done"])).code === 0, "the file");
    for (const [option, expected] of [
      ["--pause=true", ["pause", "unpause"]],
      ["--pause=false", []],
    ] as const) {
      const begun = String(Date.now() / 1000);
      await ok("commit", option, name, "big");
      // the journal has it, however short it was
      const range = ["--since", begun, "--until", String(Date.now() / 1000 + 0.001)];
      const seen = await ok("events", ...range, "-f", `container=${name}`, "--format", "{{.Action}}");
      const actions = seen.split("\n").filter((action) => /pause/.test(action));
      expect({ option, actions }).toEqual({ option, actions: [...expected] });
      expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("running");
    }
    await ok("pause", name);
    await ok("commit", name, "big");
    expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("paused");
    await ok("rm", "-f", name);
    await clear();
  });
});

describe("export and import", () => {
  test("a container's files through a pipe into an image, with how it runs", async () => {
    const name = newName();
    await ok("run", "--name", name, "busybox", "sh", "-c", "echo y >/y; chown 5:6 /y; rm -r /var/www");
    const piped = await shell(
      `$0 export ${name} | $0 import -m note -c 'CMD ["cat","/y"]' -c 'ENV A=1' - flat:1`,
    );
    expect(piped).toMatchObject({ code: 0, stderr: "" });
    expect(piped.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(await ok("run", "--rm", "flat:1")).toBe("y");
    expect(
      await ok("run", "--rm", "flat:1", "sh", "-c", "stat -c %u:%g /y; ls -d /var/www 2>&1; echo $A"),
    ).toBe("5:6\nls: /var/www: No such file or directory\n1");
    expect(await ok("inspect", "-f", "{{.Comment}} {{len .RootFS.Layers}}", "flat:1")).toBe("note 1");
    const file = `${scratch()}/root.tar`;
    await ok("export", "-o", file, name);
    const names = Bun.spawnSync(["tar", "-tf", file]).stdout.toString();
    expect(names).toMatch(/^(\.\/)?y$/m);
    expect(names).not.toMatch(/\.wh\./);
    for (const [kind, bytes] of [
      ["gz", gzipSync(readFileSync(file))],
      ["zst", Bun.zstdCompressSync(readFileSync(file))],
    ] as const) {
      writeFileSync(`${file}.${kind}`, bytes);
      await ok("import", `${file}.${kind}`, `flat:${kind}`);
      expect(await ok("run", "--rm", `flat:${kind}`, "cat", "/y")).toBe("y");
    }
    const served = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(Bun.file(file)) });
    await ok("import", `http://127.0.0.1:${served.port}/root.tar`, "flat:url");
    await served.stop(true);
    expect(await ok("run", "--rm", "flat:url", "cat", "/y")).toBe("y");
    writeFileSync(file, readFileSync(file).subarray(0, 1_000_000));
    await fails(125, /cut short/, "import", file, "flat:cut");
    await fails(1, /no such file/, "import", `${file}.nosuch`);
    await ok("rm", name);
    await clear();
  });
});

describe("room", () => {
  test("system df counts what is shared once; image prune --dry-run tells what image prune then does", async () => {
    const { old, other } = await three();
    const name = newName();
    await ok(
      "run",
      "--name",
      name,
      "fam/app:2",
      "sh",
      "-c",
      "head -c 1000000 /dev/zero >/big 2>/dev/null || cat /bin/busybox >/big",
    );
    const df = lines(
      await ok(
        "system",
        "df",
        "--format",
        "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}",
      ),
    );
    expect(df[0]).toMatch(/^Images\|[34]\|1\|/);
    expect(df[1]).toMatch(/^Containers\|1\|0\|[0-9.]+[kM]B\|.* \(100%\)$/);
    expect(df[2]).toBe("Local Volumes|0|0|0B|0B");
    expect(df[3]).toMatch(/^Stored layers\|10\|/);
    const verbose = await ok("system", "df", "-v");
    expect(verbose).toMatch(new RegExp(`fam/app +1 +${short(old)} .* [0-9.]+MB +[0-9.]+MB +4B +0\n`));
    // nothing is dangling yet
    expect(await ok("image", "prune", "--dry-run")).not.toContain("deleted");
    const dry = await ok("image", "prune", "-a", "--dry-run");
    expect(await shown()).toHaveLength((await shown("fam/app")).length + 2);
    const done = await ok("image", "prune", "-a", "-f");
    const words = (text: string): string[] =>
      lines(text)
        .filter((line) => /^(un|de)/.test(line))
        .sort();
    expect(words(dry)).toEqual(words(done));
    expect(words(done)).toEqual(
      [
        "untagged: fam/app:1",
        `deleted: ${old.config.digest}`,
        "untagged: other:latest",
        `deleted: ${other.config.digest}`,
      ].sort(),
    );
    const freed = (text: string): string => /([0-9.]+[kM]?B)$/m.exec(text)?.[1] ?? "";
    expect(freed(dry)).toBe(freed(done));
    expect(await shown()).toEqual(["busybox:latest", "fam/app:2"]);
    await ok("rm", name);
    expect(await ok("image", "prune", "-a", "-f", "--filter", "label=kind=a")).not.toContain("deleted");
    expect(await ok("image", "prune", "-a", "-f", "--filter", "label=kind=b")).toContain(
      "untagged: fam/app:2",
    );
    await three();
    for (const [answer, left] of [
      ["n", 4],
      ["", 4],
      ["y", 1],
    ] as const) {
      const asked = await mydocker(["image", "prune", "-a"], { stdin: `${answer}\n` });
      expect(asked).toMatchObject({ code: 0, stderr: "Are you sure you want to continue? [y/N] " });
      expect(asked.stdout).toStartWith("WARNING! This will remove all images");
      expect(await shown()).toHaveLength(left);
    }
    await clear();
  });
});
