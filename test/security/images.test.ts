/** Images, archives and registries that mean harm. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { mydocker, newName, ok, type Result, ROOT, SLOW, scratch, start, suite } from "../e2e/harness.ts";
import { bytesOf, dockerParts, imageOf, manifestOf, ociParts } from "../image/image-support.ts";
import { members, type Part, tarOf } from "../image/support.ts";
import { folder, imageWith, layerWith, link, treasure, unpackCarelessly } from "./images.ts";
import { memoryOf, some } from "./probes.ts";

suite();

const load = (stdin: Uint8Array): Promise<Result> => mydocker(["load"], { stdin });
const MEGABYTE = 1 << 20;

/** That something was refused in one clear line, by a program that did not need much memory for it. */
async function refuses(args: readonly string[], stdin?: Uint8Array): Promise<void> {
  const child = start(args, stdin === undefined ? {} : { stdin });
  const [stdout, stderr, memory] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    memoryOf(child),
  ]);
  expect({ code: child.exitCode, stdout, stderr }).toMatchObject({
    code: 125,
    stdout: "",
    stderr: expect.stringMatching(/^mydocker: [^\n]*\n$/),
  });
  expect(memory).toBeLessThan(250 * MEGABYTE);
}

/** Every blob and image that the store has. */
const stored = (): string[] =>
  ["blobs/sha256", "layers"].flatMap((name) =>
    existsSync(`${ROOT}/${name}`) ? readdirSync(`${ROOT}/${name}`) : [],
  );

describe("what a layer is unpacked to", () => {
  const { path, up, untouched, isUntouched, fill } = treasure();
  for (const [cve, what, parts] of [
    [
      "CVE-2014-9356",
      "a link to a folder of the host's, and a file below it",
      [link("x", path), { name: "x/pwned", data: "evil" }],
    ],
    [
      "CVE-2014-9356",
      "the same with a link that leads up",
      [link("x", up), { name: "x/empty/pwned", data: "evil" }],
    ],
    [
      "CVE-2014-6407",
      "a hard link to a file of the host's, that is written then",
      [
        { name: "x", type: "1", link: `${path}/secret` },
        { name: "x", data: "evil" },
      ],
    ],
    [
      "CVE-2015-3629",
      "a link in place of what is mounted in each container",
      [link("etc", up), { name: "etc/hosts", data: "evil" }, { name: "etc/resolv.conf", data: "evil" }],
    ],
    ["CVE-2014-9358", "a name that leads up", [{ name: `${up}/pwned`, data: "evil" }]],
    ["CVE-2014-9358", "a name that is absolute", [{ name: `${path}/pwned`, data: "evil" }]],
    [
      "CVE-2021-32760",
      "the mode of a link, and of a hard link, set on what it leads to",
      [link("x", `${path}/secret`), { name: "x", mode: 0o4777, data: "evil" }],
    ],
    [
      "CVE-2019-10152",
      "a link within a link, and a hard link through both",
      [
        folder("d/"),
        link("d/l", up),
        { name: "y", type: "1", link: "d/l/secret" },
        { name: "y", mode: 0o666, data: "evil" },
      ],
    ],
    [
      "CVE-2024-9675",
      "a whiteout of a file of the host's, by a link",
      [link("x", up), { name: "x/.wh.secret" }, { name: "x/.wh..wh..opq" }],
    ],
  ] as const satisfies readonly (readonly [string, string, readonly Part[]])[]) {
    test(`${cve}: ${what}`, async () => {
      const layer = layerWith(...parts);
      const name = newName();
      const made = imageOf(layer);
      const oci = tarOf(...ociParts(made, `docker.io/library/${name}:latest`));
      const docker = tarOf(...dockerParts(made, `${name}:latest`));
      // unpacked at once, or when it is first run
      const attempt = async (args: readonly string[], stdin: Uint8Array): Promise<void> => {
        const { code } = await mydocker(args, { stdin });
        if (code === 0 && !SLOW) await mydocker(["run", "--rm", "--network", "none", name, "true"]);
        untouched();
        await mydocker(["rmi", "-f", name]);
      };
      await attempt(["load"], oci);
      await attempt(["import", "-", name], layer);
      if (!SLOW) {
        await attempt(["load"], docker);
        mkdirSync(`${ROOT}/image`, { recursive: true });
        writeFileSync(`${ROOT}/image/${name}.tar`, layer);
        await attempt(["run", "--rm", "--network", "none", name, "true"], new Uint8Array());
      }
      // a careless program does what they are made for
      if (what.includes("whiteout")) return;
      try {
        unpackCarelessly(parts, scratch());
      } catch {
        // a name that is there already
      }
      expect(isUntouched()).toBe(false);
      fill();
    });
  }
});

describe("archives that are larger than they look", () => {
  test("CVE-2017-14992: a gzip of nothing, without an end", async () => {
    const zeros = gzipSync(Buffer.alloc(32 * MEGABYTE), { level: 9 });
    const layer = Buffer.concat([gzipSync(layerWith()), ...Array.from({ length: 12 }, () => zeros)]);
    expect(layer.length).toBeLessThan(3 * MEGABYTE);
    await refuses(["import", "-", newName()], layer);
    if (!SLOW) await refuses(["load"], layer);
  });

  test("CVE-2023-25153: an index, a manifest, a configuration all of a quarter of a gigabyte", async () => {
    const file = `${scratch()}/archive`;
    const manifest = bytesOf(manifestOf(bytesOf(imageOf(layerWith()).config), [layerWith()]));
    for (const [before, name] of some<readonly [readonly Part[], string]>([
      [[], "index.json"],
      [[], "manifest.json"],
      [[{ name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' }], "index.json"],
      [[{ name: "x", data: manifest }], "oci-layout"],
    ])) {
      const fd = openSync(file, "w");
      const start = members(...before);
      // the member's size is set by hand, and its content is a hole
      const head = members({ name, data: "" });
      head.write("02000000000\0", 124, "latin1");
      head.write("        ", 148, "latin1");
      const sum = head.reduce((total, byte) => total + byte, 0);
      head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
      writeSync(fd, Buffer.concat([start, head]));
      truncateSync(file, start.length + head.length + (1 << 28) + 1024);
      await refuses(["load", "-i", file]);
    }
    const config = { ...imageOf(layerWith()).config, comment: "x".repeat(40 * MEGABYTE) };
    await refuses(["load"], tarOf(...ociParts({ ...imageOf(layerWith()), config })));
  });
});

describe("documents of an image", () => {
  const made = imageOf(layerWith());
  const parts = ociParts(made);
  const replaced = (name: string, data: string | Uint8Array): Buffer =>
    tarOf(...parts.map((part) => (part.name === name ? { ...part, data } : part)));

  test("CVE-2021-21285: a manifest that is malformed makes nothing crash", async () => {
    const before = stored();
    const broken = [
      "",
      "null",
      "[]",
      "{}",
      "{",
      "0",
      '"x"',
      "\0",
      '{"schemaVersion":2,"manifests":null}',
      '{"schemaVersion":2,"manifests":[null]}',
      '{"manifests":[{"digest":"sha256:x"}]}',
      '{"schemaVersion":1,"manifests":[]}',
      `{"manifests":${"[".repeat(100_000)}`,
    ];
    for (const text of some(broken)) await refuses(["load"], replaced("index.json", text));
    const docker = dockerParts(made);
    for (const text of some([
      ...broken,
      '[{"Config":null}]',
      '[{"Config":"c.json","Layers":[null]}]',
      '[{"Config":"c.json","Layers":{},"RepoTags":3}]',
    ]))
      await refuses(
        ["load"],
        tarOf(...docker.map((part) => (part.name === "manifest.json" ? { ...part, data: text } : part))),
      );
    expect(stored()).toEqual(before);
  });

  test("CVE-2021-41190: a document that is a manifest and an index at once is neither", async () => {
    const config = bytesOf(made.config);
    const both = bytesOf({ ...manifestOf(config, made.layers), manifests: [] });
    const digest = (data: Uint8Array): string => new Bun.CryptoHasher("sha256").update(data).digest("hex");
    for (const mediaType of [
      "application/vnd.oci.image.manifest.v1+json",
      "application/vnd.oci.image.index.v1+json",
    ]) {
      const index = {
        schemaVersion: 2,
        manifests: [{ mediaType, digest: `sha256:${digest(both)}`, size: both.length }],
      };
      const archive = tarOf(
        ...parts.filter(({ name }) => name !== "index.json"),
        { name: "index.json", data: bytesOf(index) },
        { name: `blobs/sha256/${digest(both)}`, data: both },
      );
      await refuses(["load"], archive);
    }
  });

  test("CVE-2024-3727, CVE-2014-9358: digests and names in them that are paths", async () => {
    const { path, up, untouched } = treasure();
    for (const digest of some([
      `sha256:${up}/secret`,
      `sha256:../${up}/empty/x`,
      "sha256:",
      "../../x:abc",
      `${path}/secret`,
      `sha256:${"Z".repeat(64)}`,
    ])) {
      const index = {
        schemaVersion: 2,
        manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 11 }],
      };
      await refuses(["load"], replaced("index.json", bytesOf(index)));
      untouched();
    }
    for (const config of [`${up}/secret`, `${path}/secret`]) {
      const manifest = bytesOf([{ Config: config, RepoTags: ["x:latest"], Layers: ["0/layer.tar"] }]);
      await refuses(
        ["load"],
        tarOf(
          ...dockerParts(made).map((part) =>
            part.name === "manifest.json" ? { ...part, data: manifest } : part,
          ),
        ),
      );
    }
    // a layer, and the configuration, that are links to the host's files
    for (const name of ["c.json", "0/layer.tar"]) {
      const linked = dockerParts(made).map((part) =>
        part.name === name ? link(name, `${path}/secret`) : part,
      );
      const { code, stderr } = await load(tarOf(...linked));
      expect(code).toBe(125);
      expect(stderr).not.toContain("the host's");
    }
    untouched();
  });

  test("CVE-2014-8179, CVE-2014-8178: content that is not what its digest says", async () => {
    const before = stored();
    const layerName = `blobs/sha256/${new Bun.CryptoHasher("sha256").update(layerWith()).digest("hex")}`;
    const other = layerWith({ name: "evil", data: "x" });
    await refuses(["load"], replaced(layerName, other));
    // the digest of the blob is right, that of what it unpacks to is another one's
    const config = { ...made.config, rootfs: { type: "layers", diff_ids: [`sha256:${"1".repeat(64)}`] } };
    await refuses(["load"], tarOf(...ociParts({ config, layers: made.layers })));
    await refuses(["load"], tarOf(...dockerParts({ config, layers: made.layers })));
    expect(stored()).toEqual(before);
  });
});

describe("what is run because of an image", () => {
  test("CVE-2014-9357, CVE-2019-13139: no program of the host's, and no shell", async () => {
    const bin = scratch();
    const marker = `${bin}/marker`;
    for (const name of [
      "tar",
      "xz",
      "unxz",
      "gzip",
      "gunzip",
      "unpigz",
      "pigz",
      "zstd",
      "git",
      "sh",
      "bash",
      "ip",
      "iptables",
      "nft",
      "mount",
      "ps",
      "nsenter",
      "systemctl",
      "newuidmap",
      "docker-credential-x",
    ]) {
      writeFileSync(`${bin}/${name}`, `#!/bin/busybox sh\necho ${name} >> ${marker}\n`);
      chmodSync(`${bin}/${name}`, 0o755);
    }
    const env = { PATH: `${bin}:${process.env.PATH}` };
    Bun.spawnSync(["xz"], { env });
    expect(readFileSync(marker, "utf8")).toBe("xz\n");
    writeFileSync(marker, "");
    const name = newName();
    const run = (args: readonly string[], stdin?: Uint8Array): Promise<Result> =>
      mydocker(args, { env, ...(stdin && { stdin }) });
    const xz = Buffer.concat([Buffer.from("fd377a585a000004e6d6b446", "hex"), Buffer.alloc(1000)]);
    for (const archive of [xz, gzipSync(layerWith())]) {
      await run(["import", "-", name], archive);
      await run(["load"], archive);
    }
    for (const command of [
      ["run", "--name", name, "-d", name, "sleep", "1000"],
      ["top", name],
      ["exec", name, "true"],
      ["commit", name, name],
      ["save", "-o", `${bin}/saved`, name],
      ["rm", "-f", name],
      ["rmi", "-f", name],
    ])
      await run(command);
    for (const evil of some([
      `$(echo x>>${marker})`,
      `x;echo x>>${marker}`,
      `\`echo x>>${marker}\``,
      `--upload-pack=echo x>>${marker}`,
      `|echo x>>${marker}`,
    ])) {
      await run(["run", "--rm", "--name", evil, "--pull", "never", "busybox", "true"]);
      await run(["run", "--rm", "--pull", "never", evil, "true"]);
      await run([
        "run",
        "--rm",
        "-h",
        evil,
        "-w",
        evil,
        "-u",
        evil,
        "-e",
        evil,
        "-v",
        `${bin}:${evil}`,
        "busybox",
        evil,
      ]);
      await run(["load", "-i", evil]);
      await run(["pull", "--", evil]);
      await run(["import", evil]);
    }
    expect(readFileSync(marker, "utf8")).toBe("");
  });

  test("overlayfs's own attributes (2016 on) are none of an image's to bring along", async () => {
    // a folder that is redirected shows another one of the lower layers: here it would show what was whited out
    const first = layerWith(folder("hidden/"), { name: "hidden/file", data: "x" });
    const redirect = ["trusted.overlay.redirect", "/hidden"] as const;
    const metacopy = ["trusted.overlay.metacopy", ""] as const;
    const second = tarOf(
      { name: ".wh.hidden" },
      { name: "shown/", type: "5", mode: 0o755, xattrs: [redirect] },
      { name: "copy", xattrs: [metacopy, redirect] },
    );
    const image = await imageWith({}, first, second);
    expect(await ok("run", "--rm", "--network", "none", image, "ls", "/shown")).toBe("");
    await ok("rmi", image);
  });
});
