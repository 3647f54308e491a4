import { afterEach, describe, expect, mock, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { makeBusyboxTar } from "../../src/image/busybox-rootfs.ts";
import { archiveTrailer, embeddedArchive } from "../../src/image/embedded.ts";
import {
  findImage,
  holdImages,
  type ImageUse,
  listImages,
  removeImage,
  removeUnreachable,
  resolveImage,
  withImagesShared,
} from "../../src/image/store.ts";
import { MNT_DETACH, mount, umount } from "../../src/linux/mount.ts";
import { inFolder, isRoot, tarOf } from "./support.ts";

const NOBODY: ImageUse = { usersOf: () => [], inUse: () => new Set() };

interface Store {
  readonly root: string;
  readonly run: string;
  put(name: string, data: Uint8Array): void;
  layers(): string[];
}

async function withStore(work: (store: Store) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const root = `${folder}/root`;
    mkdirSync(`${root}/image`, { recursive: true });
    await work({
      root,
      run: `${folder}/run`,
      put: (name, data) => writeFileSync(`${root}/image/${name}.tar`, data),
      layers: () => (existsSync(`${root}/layers`) ? readdirSync(`${root}/layers`) : []),
    });
  });
}

const X = "docker.io/library/x:latest";
const one = tarOf({ name: "./", type: "5", mode: 0o755 }, { name: "file", data: "one" });
const two = tarOf({ name: "file", data: "two" });

describe.skipIf(!isRoot)("an image in image/", () => {
  test.each([
    ["plain", one],
    ["gzip", Bun.gzipSync(new Uint8Array(one))],
    ["zstd", Bun.zstdCompressSync(new Uint8Array(one))],
  ])("%s is told by its content and unpacked once", async (_, data) => {
    await withStore(async ({ root, run, put, layers }) => {
      put("x", data);
      expect(findImage(root, "x")).toBeUndefined();
      expect(listImages(root)).toMatchObject([{ tags: [X] }]);
      const image = await resolveImage(root, run, "docker.io/library/x:latest");
      const digest = new Bun.CryptoHasher("sha256").update(data).digest("hex");
      expect(image).toMatchObject({
        id: `sha256:${digest}`,
        size: 3,
        config: { Cmd: ["/bin/sh"], Env: [] },
      });
      const plain = new Bun.CryptoHasher("sha256").update(one).digest("hex");
      expect(image.layers).toEqual([`${root}/layers/${plain}`]);
      expect(readFileSync(`${image.layers[0]}/file`, "utf8")).toBe("one");
      expect(lstatSync(`${root}/layers`).mode & 0o777).toBe(0o700);
      expect(lstatSync(`${root}/layers/${plain}`).mode & 0o777).toBe(0o755);
      expect(findImage(root, "x")).toEqual(image);
      const before = lstatSync(`${root}/layers/${plain}`).ino;
      expect(await resolveImage(root, run, "x")).toEqual(image);
      expect(lstatSync(`${root}/layers/${plain}`).ino).toBe(before);
      expect(listImages(root)).toMatchObject([{ tags: [X], id: image.id, size: 3, created: image.created }]);
      expect(layers()).toEqual([plain]);
    });
  });

  test("is kept in step when its archive changes, is touched, or goes", async () => {
    await withStore(async ({ root, run, put, layers }) => {
      put("x", one);
      const first = await resolveImage(root, run, "x");
      const inode = lstatSync(first.layers[0] ?? "").ino;
      utimesSync(`${root}/image/x.tar`, 1, 1);
      expect(findImage(root, "x")).toBeUndefined();
      expect((await resolveImage(root, run, "x")).id).toBe(first.id);
      expect(lstatSync(first.layers[0] ?? "").ino).toBe(inode);
      put("x", two);
      expect(findImage(root, "x")).toBeUndefined();
      const second = await resolveImage(root, run, "x");
      expect(readFileSync(`${second.layers[0]}/file`, "utf8")).toBe("two");
      expect(layers().length).toBe(2);
      // a container still uses the old one
      await removeUnreachable(root, run, () => new Set(first.layers));
      expect(layers().length).toBe(2);
      await removeUnreachable(root, run, () => new Set());
      expect(second.layers).toEqual(layers().map((name) => `${root}/layers/${name}`));
      rmSync(`${root}/image/x.tar`);
      expect(findImage(root, "x")).toBeUndefined();
      expect(listImages(root)).toEqual([]);
      await expect(resolveImage(root, run, "x")).rejects.toThrow("No such image: x:latest");
      await removeUnreachable(root, run, () => new Set());
      expect(layers()).toEqual([]);
    });
  });

  test("two names of one content share a layer", async () => {
    await withStore(async ({ root, run, put, layers }) => {
      put("a", one);
      put("b", one);
      const [a, b] = await Promise.all([resolveImage(root, run, "a"), resolveImage(root, run, "b")]);
      expect(a.layers).toEqual(b.layers);
      expect(layers().length).toBe(1);
      expect(await removeImage(root, run, "a", NOBODY)).toEqual(["Untagged: a:latest"]);
      expect(findImage(root, "b")).toEqual(b);
      expect(await removeImage(root, run, "b", NOBODY)).toEqual(["Untagged: b:latest", `Deleted: ${b.id}`]);
      expect(layers()).toEqual([]);
      expect(readdirSync(`${root}/image`)).toEqual([]);
    });
  });

  test("removal is refused while a container uses it", async () => {
    await withStore(async ({ root, run, put, layers }) => {
      put("a", one);
      const { id, layers: used } = await resolveImage(root, run, "a");
      const use = { usersOf: () => [{ name: "c1", running: false }], inUse: () => new Set(used) };
      await expect(removeImage(root, run, "a", use)).rejects.toThrow(
        `conflict: unable to remove repository reference "a:latest" (must force) - container c1 is using its`,
      );
      expect(findImage(root, "a")).toBeDefined();
      expect(await removeImage(root, run, "a", { ...use, force: true })).toEqual([
        "Untagged: a:latest",
        `Deleted: ${id}`,
      ]);
      expect(layers().length).toBe(1);
      await expect(removeImage(root, run, "a", NOBODY)).rejects.toThrow("No such image: a");
    });
  });

  test("layers stay while a container is being made", async () => {
    await withStore(async ({ root, run, put }) => {
      put("a", one);
      await resolveImage(root, run, "a");
      const script = `
        import { removeImage } from "${import.meta.dir}/../../src/image/store.ts";
        console.log("ready");
        await removeImage("${root}", "${run}", "a", { usersOf: () => [], inUse: () => new Set() });`;
      const release = holdImages(run);
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
      await child.stdout.getReader().read();
      await Bun.sleep(50);
      expect(findImage(root, "a")).toBeDefined();
      expect(withImagesShared(run, () => child.exitCode)).toBeNull();
      release();
      expect(await child.exited).toBe(0);
      expect(findImage(root, "a")).toBeUndefined();
    });
  });

  test.each([
    ["cut short", one.subarray(0, 700), "it is cut short"],
    ["cut-short gzip", Bun.gzipSync(new Uint8Array(one)).subarray(0, 60), "it is cut short: its gzip data"],
    [
      "damaged gzip",
      Buffer.concat([Buffer.from("1f8b0800", "hex"), Buffer.alloc(300, 7)]),
      "its gzip data is damaged",
    ],
    ["cut-short tar in gzip", Bun.gzipSync(new Uint8Array(one.subarray(0, 700))), "it is cut short"],
    ["cut-short zstd", Bun.zstdCompressSync(new Uint8Array(one)).subarray(0, 40), "it is cut short"],
    ["empty", Buffer.alloc(0), "it is cut short"],
    ["no tar", Buffer.alloc(4096, "text"), "it is not a tar archive"],
  ])("%s is refused, and nothing is left", async (_, data, words) => {
    await withStore(async ({ root, run, put, layers }) => {
      put("x", data);
      await expect(resolveImage(root, run, "x")).rejects.toThrow(`cannot unpack image x: ${words}`);
      await resolveImage(root, run, "x").catch(() => undefined);
      expect(layers()).toEqual([]);
      expect(findImage(root, "x")).toBeUndefined();
      put("x", two);
      expect((await resolveImage(root, run, "x")).size).toBe(3);
    });
  });

  test("a folder or a FIFO of that name", async () => {
    await withStore(async ({ root, run }) => {
      mkdirSync(`${root}/image/d.tar`);
      await expect(resolveImage(root, run, "d")).rejects.toThrow("not a regular file");
      Bun.spawnSync(["mkfifo", `${root}/image/f.tar`]);
      await expect(resolveImage(root, run, "f")).rejects.toThrow("not a regular file");
    });
  });

  test("a name is never a path, and unknown ones say what to do", async () => {
    await withStore(async ({ root, run }) => {
      writeFileSync(`${root}/outside.tar`, one);
      await expect(resolveImage(root, run, "../outside")).rejects.toThrow("invalid reference format");
      const message = "No such image: constructor:latest";
      await expect(resolveImage(root, run, "constructor")).rejects.toThrow(message);
    });
  });

  test("a full disk leaves nothing", async () => {
    await withStore(async ({ root, run, layers }) => {
      mount("tmpfs", root, "tmpfs", 0, "size=2m");
      try {
        mkdirSync(`${root}/image`);
        writeFileSync(
          `${root}/image/x.tar`,
          Bun.gzipSync(new Uint8Array(tarOf({ name: "big", data: Buffer.alloc(8 << 20, "full") }))),
        );
        await expect(resolveImage(root, run, "x")).rejects.toThrow(
          "cannot unpack image x: no space left on device",
        );
        await resolveImage(root, run, "x").catch(() => undefined);
        expect(layers()).toEqual([]);
      } finally {
        umount(root, MNT_DETACH);
      }
    });
  });

  test("a damaged index is told as such, and nothing is removed by it; without one the index is made anew", async () => {
    await withStore(async ({ root, run, put, layers }) => {
      put("x", one);
      const image = await resolveImage(root, run, "x");
      for (const [text, words] of [
        ["", "damaged"],
        ["{", "damaged"],
        ["[]", "damaged"],
        ["null", "damaged"],
        ['{"version":2}', "damaged"],
        ['{"version":3,"images":[]}', "of a later version"],
      ] as const) {
        writeFileSync(`${root}/images.json`, text);
        await expect(resolveImage(root, run, "x")).rejects.toThrow(words);
        await expect(removeUnreachable(root, run, () => new Set())).rejects.toThrow(words);
        expect(() => listImages(root)).toThrow(words);
        expect(layers().length).toBe(1);
        expect(readFileSync(`${root}/images.json`, "utf8")).toBe(text);
      }
      for (const text of ['{"version":1}', undefined]) {
        if (text === undefined) rmSync(`${root}/images.json`);
        else writeFileSync(`${root}/images.json`, text);
        expect(await resolveImage(root, run, "x")).toEqual(image);
      }
    });
  });
});

describe.skipIf(!isRoot)("many processes", () => {
  const script = (root: string, run: string, name: string): string => `
    import { resolveImage } from "${import.meta.dir}/../../src/image/store.ts";
    const image = await resolveImage("${root}", "${run}", "${name}");
    console.log(image.id);`;

  test("one unpacks, the others wait", async () => {
    await withStore(async ({ root, run, put, layers }) => {
      const big = Array.from({ length: 2000 }, (_, i) => ({
        name: `d${i % 50}/f${i}`,
        data: "x".repeat(2000),
      }));
      put("x", tarOf(...big));
      const children = Array.from({ length: 8 }, () =>
        Bun.spawn([process.execPath, "-e", script(root, run, "x")], { stdout: "pipe", stderr: "inherit" }),
      );
      const said = await Promise.all(children.map((child) => new Response(child.stdout).text()));
      expect(new Set(said).size).toBe(1);
      expect(said[0]).toStartWith("sha256:");
      expect(layers().length).toBe(1);
    });
  }, 30_000);

  test("killed at any moment: the next one makes it whole and cleans up", async () => {
    await withStore(async ({ root, run, put, layers }) => {
      const big = Array.from({ length: 3000 }, (_, i) => ({
        name: `d${i % 50}/f${i}`,
        data: "x".repeat(2000),
      }));
      put("x", tarOf(...big));
      let stale = 0;
      for (let round = 0; round < 12; round++) {
        const child = Bun.spawn([process.execPath, "-e", script(root, run, "x")], { stdout: "ignore" });
        await Bun.sleep(20 + round * 15);
        child.kill(9);
        await child.exited;
        stale += layers().filter((name) => name.startsWith(".tmp-")).length;
        if (findImage(root, "x")) {
          rmSync(`${root}/images.json`);
          await removeUnreachable(root, run, () => new Set());
        }
      }
      const image = await resolveImage(root, run, "x");
      expect(readdirSync(image.layers[0] ?? "").length).toBe(50);
      expect(layers().length).toBe(1);
      expect(stale).toBeGreaterThan(0);
      expect(readdirSync(root).sort()).toEqual(["image", "images.json", "layers"]);
    });
  }, 30_000);
});

describe.skipIf(!isRoot || !existsSync("/bin/busybox"))("the embedded busybox", () => {
  const archive = `${import.meta.dir}/../../build/busybox.tar`;
  const kept = existsSync(archive);
  const readArchive = embeddedArchive;
  afterEach(() => {
    Reflect.deleteProperty(globalThis, "BUSYBOX_ID");
  });

  test.skipIf(!kept)("is used where image/ has none, and cannot be removed", async () => {
    const id = `sha256:${new Bun.CryptoHasher("sha256").update(readFileSync(archive)).digest("hex")}`;
    Reflect.set(globalThis, "BUSYBOX_ID", id);
    // under `bun test` the executable is Bun's, which carries none
    mock.module("../../src/image/embedded.ts", () => ({
      archiveTrailer,
      embeddedArchive: (executable?: string) =>
        executable === undefined ? new Uint8Array(readFileSync(archive)) : readArchive(executable),
    }));
    await withStore(async ({ root, run, put, layers }) => {
      expect(listImages(root)).toMatchObject([{ tags: ["docker.io/library/busybox:latest"], id }]);
      await expect(removeImage(root, run, "busybox", NOBODY)).rejects.toThrow("a part of this program");
      // by its id too, as it is listed
      const image = await resolveImage(root, run, id.slice("sha256:".length, 20));
      expect(image.id).toBe(id);
      expect(findImage(root, "busybox")).toEqual(image);
      const shell = Bun.spawnSync([
        "chroot",
        image.layers[0] ?? "",
        "/bin/sh",
        "-c",
        "ls /etc && id -un && which ls",
      ]);
      expect(shell.stdout.toString()).toContain("passwd\nprofile\nresolv.conf\nshadow\nroot\n/bin/ls\n");
      expect(lstatSync(`${image.layers[0]}/tmp`).mode & 0o7777).toBe(0o1777);
      put("busybox", one);
      expect(findImage(root, "busybox")).toBeUndefined();
      expect((await resolveImage(root, run, "busybox:latest")).size).toBe(3);
      expect(await removeImage(root, run, "busybox", NOBODY)).toContain("Untagged: busybox:latest");
      expect(layers()).toEqual([]);
      await resolveImage(root, run, "busybox");
      expect(await removeImage(root, run, "busybox", NOBODY)).toEqual([`Deleted: ${id}`]);
      expect(layers()).toEqual([]);
    });
  });

  test("its archive is found behind an executable, and one that was cut short is told", () => {
    const folder = mkdtempSync("/var/tmp/mydocker-image-");
    try {
      const archive = new Uint8Array([1, 2, 3, 4]);
      const whole = Buffer.concat([Buffer.from("ELF and so on"), archive, archiveTrailer(archive.length)]);
      writeFileSync(`${folder}/exe`, whole);
      expect(readArchive(`${folder}/exe`)).toEqual(archive);
      for (const cut of [whole.length - 1, 10, 0]) {
        writeFileSync(`${folder}/exe`, whole.subarray(0, cut));
        expect(() => readArchive(`${folder}/exe`)).toThrow("cut short");
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("its archive is the same each time", async () => {
    const folder = mkdtempSync("/var/tmp/mydocker-image-");
    try {
      const a = await makeBusyboxTar(`${folder}/a`);
      await Bun.sleep(1100);
      const b = await makeBusyboxTar(`${folder}/b`);
      expect(a).toEqual(b);
      expect(a.content).toBeGreaterThan(lstatSync("/bin/busybox").size);
      await expect(makeBusyboxTar(`${folder}/c`, "/missing")).rejects.toThrow("busybox-static");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
