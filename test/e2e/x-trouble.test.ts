/** Pulls over a way that cuts, stalls, corrupts and refuses, pulls that are killed, and many at once. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { fails, mydocker, ok, quietly, type Result, ROOT, scratch, start, suite, until } from "./harness.ts";
import {
  baseTar,
  fileTar,
  json,
  layerOf,
  type Made,
  makeImage,
  part,
  putBlob,
  putImage,
  putManifest,
  TYPES,
} from "./made-images.ts";
import { describeWithRegistry, type Registry, startProxy, startRegistry, type Way } from "./registry.ts";

suite();

const list = (folder: string): string[] =>
  existsSync(`${ROOT}/${folder}`) ? readdirSync(`${ROOT}/${folder}`) : [];
/** All that pulls leave, but for what is not whole: that is for who tries again. */
const stored = (): string[] => [...list("blobs/sha256"), ...list("layers")].sort();
const MB = 1 << 20;

/** Whether a process has a file open and locked. */
function locks(pid: number, path: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) =>
    quietly(
      () =>
        readlinkSync(`/proc/${pid}/fd/${fd}`) === path &&
        readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").includes("FLOCK"),
      false,
    ),
  );
}

describeWithRegistry("a registry behind a bad way", () => {
  let registry: Registry;
  let proxy: Way;
  let base: Buffer;
  let stalled: () => Promise<void>;
  beforeAll(async () => {
    registry = await startRegistry(scratch(), "plain");
    proxy = await startProxy(registry);
    base = await baseTar();
    stalled = await beginStalled();
    // the embedded image's layer is there from the beginning
    await ok("run", "--rm", "busybox", "true");
  });
  afterAll(async () => {
    proxy.stop();
    await registry.stop();
  });
  afterEach(async () => {
    proxy.fault = undefined;
    proxy.passed.length = 0;
    const tags = await ok("images", "--format", "{{.Repository}}:{{.Tag}}");
    for (const tag of tags.split("\n")) if (tag.startsWith("127.")) await ok("rmi", tag);
    await ok("image", "prune", "-f");
    expect([...list("blobs/sha256"), ...list("blobs/partial")]).toEqual([]);
    expect(list("layers")).toHaveLength(1);
  });

  /** An image of busybox and layers of so many random bytes, in the registry under that name. */
  async function put(name: string, ...sizes: number[]): Promise<Made> {
    const files = await Promise.all(sizes.map((size, i) => fileTar(`data${i}`, randomBytes(size))));
    const made = makeImage([base, ...files]);
    await putImage(registry.domain, name, made);
    return made;
  }

  /** A pull that gets nothing for half a minute once, in folders of its own, while the others run; returns what looks at its end. */
  async function beginStalled(): Promise<() => Promise<void>> {
    const folder = mkdtempSync("/var/tmp/stalled-pull-");
    const made = await put("stalled", 3 * MB);
    const way = await startProxy(registry);
    let stalls = 1;
    way.fault = ({ path }) =>
      path.endsWith(digestIn(made, 1)) && stalls-- > 0 ? { stall: 2 * MB } : undefined;
    const env = { MYDOCKER_ROOT: `${folder}/root`, MYDOCKER_RUN: `${folder}/run` };
    const pull = mydocker(["pull", "-q", `${way.domain}/stalled`], { env });
    return async () => {
      expect(await pull).toMatchObject({ code: 0, stderr: "" });
      const from = way
        .blobs()
        .filter(({ path }) => path.endsWith(digestIn(made, 1)))
        .map((one) => one.from);
      expect(from).toEqual([0, expect.any(Number)]);
      expect(from[1]).toBeGreaterThan(MB);
      way.stop();
      rmSync(folder, { recursive: true });
    };
  }
  const digestIn = (made: Made, i: number): string => made.layers[i]?.digest ?? "";
  /** How much of a blob is there that is not whole. */
  const partial = (digest: string): number =>
    quietly(() => statSync(`${ROOT}/blobs/partial/${digest.slice(7)}`).size, 0);
  const gets = (digest: string) => proxy.blobs().filter(({ path }) => path.endsWith(digest));

  test("a connection that is cut goes on where it was", async () => {
    const made = await put("cut", 3 * MB);
    const big = digestIn(made, 1);
    let cuts = 0;
    proxy.fault = ({ path }) => (path.endsWith(big) && cuts++ < 2 ? { cut: MB } : undefined);
    expect(await ok("run", "-q", "--rm", `${proxy.domain}/cut`, "sh", "-c", "wc -c </data0")).toBe(
      String(3 * MB),
    );
    const passed = gets(big);
    expect(passed).toHaveLength(3);
    // of what came just before the cut a little may be lost
    const came = passed.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(passed[1]?.from).toBeGreaterThan(MB / 2);
    expect(passed[2]?.from).toBeGreaterThan(MB * 1.5);
    expect(came - (made.layers[1]?.size ?? 0)).toBeLessThan(MB);
  });

  test("429 with Retry-After and 500 are waited out; one that does not end is one line", async () => {
    const made = await put("busy", 1000);
    const times: number[] = [];
    let left = 2;
    proxy.fault = ({ path }) => {
      if (!path.includes("/manifests/") && !path.endsWith(digestIn(made, 1))) return undefined;
      times.push(Date.now());
      if (left-- <= 0) return undefined;
      return left === 1 ? { status: 429, headers: { "Retry-After": "1" } } : { status: 500 };
    };
    await ok("pull", "-q", `${proxy.domain}/busy`);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
    await ok("rmi", `${proxy.domain}/busy`);
    proxy.fault = ({ path }) => (path.includes("/blobs/") ? { status: 503 } : undefined);
    await fails(125, /503|unavailable/i, "pull", "-q", `${proxy.domain}/busy`);
    proxy.fault = () => ({ status: 429, headers: { "Retry-After": "3600" } });
    await fails(125, /toomanyrequests|429|too many/i, "pull", "-q", `${proxy.domain}/busy`);
  });

  test("bytes that are changed on the way once are fetched again; always, and the pull is refused", async () => {
    const made = await put("bad", MB);
    const big = digestIn(made, 1);
    let bad = 1;
    proxy.fault = ({ path }) => (path.endsWith(big) && bad-- > 0 ? { corrupt: 70_000 } : undefined);
    await ok("pull", "-q", `${proxy.domain}/bad`);
    expect(gets(big)).toHaveLength(2);
    await ok("rmi", `${proxy.domain}/bad`);
    bad = 1000;
    const before = stored();
    await fails(125, /verification failed for digest sha256:/, "pull", "-q", `${proxy.domain}/bad`);
    await fails(125, /No such image/, "run", "--pull", "never", `${proxy.domain}/bad`, "true");
    expect(list("blobs/partial")).toEqual([]);
    await ok("image", "prune", "-f");
    expect(stored()).toEqual(before);
    // a manifest too, and a configuration
    for (const which of [`/manifests/latest`, made.config.digest]) {
      proxy.fault = ({ path }) => (path.endsWith(which) ? { corrupt: 30 } : undefined);
      await fails(125, /./, "pull", "-q", `${proxy.domain}/bad`);
      await ok("image", "prune", "-f");
      expect(stored()).toEqual(before);
    }
  });

  test("an image that is not what its manifest says is refused, and nothing of it stays", async () => {
    const good = await fileTar("f", "good\n");
    const layer = layerOf(good);
    const wrong: Record<string, [Made, RegExp]> = {
      size: [
        makeImage([base, good], {}, { layers: [layerOf(base), { ...layer, size: layer.size - 1 }] }),
        /100 bytes|99 from 0 on/,
      ],
      longer: [
        makeImage([base, good], {}, { layers: [layerOf(base), { ...layer, size: layer.size + 1 }] }),
        /100 bytes|101 from 0 on/,
      ],
      diff: [
        makeImage([base, await fileTar("f", "other\n")], {}, { layers: [layerOf(base), layer] }),
        /but the image's configuration says sha256:/,
      ],
      fewer: [makeImage([base, good], {}, { layers: [layerOf(base)] }), /1 layers, but 2 diff_ids/],
      garbage: [
        makeImage([base, good], {}, { layers: [layerOf(base), part(TYPES.gzip, randomBytes(3000))] }),
        /cannot unpack layer/,
      ],
    };
    const before = stored();
    for (const [tag, [made, words]] of Object.entries(wrong)) {
      for (const one of [made.config, ...made.layers]) await putBlob(registry.domain, "wrong", one);
      // distribution itself looks at nothing but that the blobs are there
      await putManifest(registry.domain, "wrong", tag, made.manifest);
      await fails(125, words, "pull", "-q", `${proxy.domain}/wrong:${tag}`);
      await fails(125, /No such image/, "run", "--pull", "never", `${proxy.domain}/wrong:${tag}`, "true");
      await ok("image", "prune", "-f");
      expect(stored()).toEqual(before);
    }
    const document = part(TYPES.config, json({ nothing: true }));
    const { manifest } = makeImage([base]);
    const text = JSON.parse(Buffer.from(manifest.bytes).toString());
    text.config = { mediaType: TYPES.config, digest: document.digest, size: document.size };
    await putBlob(registry.domain, "wrong", document);
    await putManifest(registry.domain, "wrong", "config", part(TYPES.manifest, json(text)));
    await fails(125, /rootfs is not as it must be/, "pull", "-q", `${proxy.domain}/wrong:config`);
  });

  test("layers that images share are fetched once", async () => {
    const shared = await fileTar("shared", randomBytes(MB));
    for (const name of ["one", "two"])
      await putImage(registry.domain, name, makeImage([base, shared, await fileTar(name, name)]));
    await ok("pull", "-q", `${proxy.domain}/one`);
    const first = proxy.blobs().length;
    expect(first).toBe(4);
    await ok("pull", "-q", `${proxy.domain}/two`);
    // its configuration and its own layer
    expect(proxy.blobs()).toHaveLength(first + 2);
  });

  test("twenty pulls at once, one of them killed: the layer they share is stored once and fetched once, or twice", async () => {
    const shared = await fileTar("shared", randomBytes(4 * MB));
    const layer = layerOf(shared);
    for (let i = 0; i < 20; i++)
      await putImage(registry.domain, `many/${i}`, makeImage([base, shared, await fileTar("own", `${i}\n`)]));
    // slow enough that all of them are there while it lasts
    proxy.fault = ({ path }) => (path.endsWith(layer.digest) ? { slow: 8 } : undefined);
    const pulls = Array.from({ length: 20 }, (_, i) => start(["pull", "-q", `${proxy.domain}/many/${i}`]));
    await until(() => gets(layer.digest).some(({ bytes }) => bytes > MB), "the download to be half-way");
    // whose it is: the one that holds the file of it open
    const partial = `${ROOT}/blobs/partial/${layer.digest.slice(7)}`;
    const owner = pulls.find(({ pid }) => locks(pid, partial));
    owner?.kill("SIGKILL");
    const codes = await Promise.all(pulls.map((pull) => pull.exited));
    expect(owner).toBeDefined();
    expect(codes.filter((code) => code === 0)).toHaveLength(19);
    expect(gets(layer.digest).length).toBeLessThanOrEqual(2);
    expect(list("blobs/sha256").filter((name) => layer.digest.endsWith(name))).toHaveLength(1);
    // base, shared, and one each
    expect(list("layers").filter((name) => !name.startsWith(".tmp-"))).toHaveLength(1 + 2 + 19);
    // no more than what the killed one had begun for itself
    expect(list("blobs/partial").filter((name) => list("blobs/sha256").includes(name))).toEqual([]);
    for (const [i, code] of codes.entries()) {
      const run = await mydocker([
        "run",
        "--rm",
        "--pull",
        "never",
        `${proxy.domain}/many/${i}`,
        "cat",
        "/own",
      ]);
      expect(run.stdout).toBe(code === 0 ? `${i}\n` : "");
    }
  });

  test("a pull that is killed at any moment shows nothing half-made, and the next one goes on where it was", async () => {
    const made = await put("killed", 6 * MB, 2 * MB);
    const big = digestIn(made, 1);
    const name = `${proxy.domain}/killed`;
    const before = list("layers");
    for (const half of [MB / 2, 2 * MB, 5 * MB]) {
      proxy.fault = ({ path }) => (path.endsWith(big) ? { slow: 10 } : undefined);
      const pull = start(["pull", "-q", name]);
      await until(() => gets(big).some(({ bytes, from }) => from + bytes > half), `${half} bytes`);
      pull.kill("SIGKILL");
      await pull.exited;
      expect(await ok("images", "-q", name)).toBe("");
      await fails(125, /No such image/, "run", "--pull", "never", name, "true");
      const there = partial(big);
      proxy.passed.length = 0;
      const next = start(["pull", "-q", name]);
      await until(() => gets(big).length > 0, "the next pull");
      next.kill("SIGKILL");
      await next.exited;
      expect(gets(big)[0]?.from).toBe(there);
    }
    proxy.fault = undefined;
    proxy.passed.length = 0;
    const there = [1, 2].map((i) =>
      stored().includes(digestIn(made, i).slice(7)) ? undefined : partial(digestIn(made, i)),
    );
    expect(await ok("run", "-q", "--rm", name, "sh", "-c", "wc -c </data0; wc -c </data1")).toBe(
      `${6 * MB}\n${2 * MB}`,
    );
    // what is whole is not asked for again, of the others what is missing
    for (const [i, before] of there.entries()) {
      const fetched = gets(digestIn(made, i + 1)).map(({ bytes }) => bytes);
      const missing = before === undefined ? 0 : (made.layers[i + 1]?.size ?? 0) - before;
      expect(fetched).toEqual(missing === 0 ? [] : [missing]);
    }
    expect(there[0]).toBeGreaterThan(0);
    expect(list("layers").filter((name) => name.startsWith(".tmp-"))).toEqual([]);
    expect(list("layers")).toHaveLength(before.length + 3);
  });

  test("a pull that is killed at random: what it leaves, image prune takes away", async () => {
    await put("random", MB, MB, MB);
    const name = `${proxy.domain}/random`;
    const once = Date.now();
    await ok("pull", "-q", name);
    const takes = Date.now() - once;
    for (let i = 0; i < 12; i++) {
      await ok("rmi", name);
      if (i % 2 === 0) await ok("image", "prune", "-f");
      const pull = start(["pull", "-q", name]);
      await Bun.sleep((takes * i) / 11);
      pull.kill("SIGKILL");
      await pull.exited;
      const run = await mydocker(["run", "--rm", "--pull", "never", name, "sh", "-c", "cat /data? | wc -c"]);
      if (run.code === 0) expect(run.stdout).toBe(`${3 * MB}\n`);
      else {
        expect(run.stderr).toMatch(/No such image/);
        // a process that unpacked for it may need a moment to see that it is gone
        await until(async () => {
          await ok("image", "prune", "-f");
          return list("blobs/sha256").length + list("blobs/partial").length === 0;
        }, "no blob to be left");
        expect(list("layers")).toHaveLength(1);
        await ok("pull", "-q", name);
      }
    }
  });

  test("Ctrl-C: 130, at once, and nothing is broken", async () => {
    const made = await put("broken-off", 4 * MB);
    const big = digestIn(made, 1);
    const name = `${proxy.domain}/broken-off`;
    const commands = [
      ["pull", name],
      ["run", "--rm", name, "true"],
      ["create", name, "true"],
    ];
    for (const command of commands) {
      proxy.fault = ({ path }) => (path.endsWith(big) ? { stall: MB } : undefined);
      const pull = start(command);
      await until(() => partial(big) > MB / 2, "the download");
      pull.kill("SIGINT");
      const begun = Date.now();
      expect(await pull.exited).toBe(130);
      expect(Date.now() - begun).toBeLessThan(1000);
      proxy.passed.length = 0;
      await fails(125, /No such image/, "run", "--pull", "never", name, "true");
    }
    expect(await ok("ps", "-aq")).toBe("");
    proxy.fault = undefined;
    expect(await ok("run", "-q", "--rm", name, "sh", "-c", "wc -c </data0")).toBe(String(4 * MB));
    expect(gets(big)[0]?.from).toBeGreaterThan(MB / 2);
  });

  for (const size of [6, 12, 17])
    test(`a disk of ${size} MB that is full is said, and nothing is left`, async () => {
      await put("large", 8 * MB);
      const root = scratch();
      const run = (...args: string[]): Promise<Result> => mydocker(args, { env: { MYDOCKER_ROOT: root } });
      expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${size}m`, "small", root]).exitCode).toBe(0);
      try {
        const pull = await run("pull", "-q", `${proxy.domain}/large`);
        expect(pull).toMatchObject({ code: 125, stdout: "" });
        expect(pull.stderr).toMatch(/^mydocker: .*no space left on device.*\n$/);
        expect((await run("images", "-q", `${proxy.domain}/large`)).stdout).toBe("");
        expect((await run("image", "prune", "-f")).code).toBe(0);
        const left = Bun.spawnSync(["find", root, "-type", "f"]).stdout.toString().trim().split("\n");
        expect(left).toEqual([`${root}/images.json`]);
      } finally {
        Bun.spawnSync(["umount", "-l", root]);
      }
    });

  test("a registry that sends nothing for half a minute is asked again, from there on", () => stalled());
});
