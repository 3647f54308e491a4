/** Images of odd but legal kinds, and some that are none, from Debian's docker-registry. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { messagePair, sendWithFds } from "../../src/linux/socket.ts";
import { BINARY, ENV, fails, mydocker, ok, ROOT, scratch, shell, suite } from "./harness.ts";
import {
  baseTar,
  descriptor,
  fileTar,
  json,
  layerOf,
  layoutOf,
  makeImage,
  type Part,
  part,
  putBlob,
  putImage,
  putManifest,
  TYPES,
} from "./made-images.ts";
import { describeWithRegistry, type Registry, startProxy, startRegistry, type Way } from "./registry.ts";

suite();

describeWithRegistry("an image", () => {
  let registry: Registry;
  let way: Way;
  let base: Buffer;
  let at: string;
  beforeAll(async () => {
    registry = await startRegistry(scratch(), "plain");
    way = await startProxy(registry);
    base = await baseTar();
    at = way.domain;
  });
  afterAll(async () => {
    way.stop();
    await registry.stop();
  });
  afterEach(async () => {
    way.passed.length = 0;
    await ok("image", "prune", "-af");
    expect([...readdirSync(`${ROOT}/blobs/sha256`), ...readdirSync(`${ROOT}/blobs/partial`)]).toEqual([]);
  });

  /** Puts a manifest of any kind, whose blobs are these, into the registry; returns the image's name. */
  async function put(
    repository: string,
    text: object,
    mediaType: string,
    blobs: readonly Part[],
  ): Promise<string> {
    for (const blob of blobs) await putBlob(registry.domain, repository, blob);
    await putManifest(registry.domain, repository, "latest", part(mediaType, json(text)));
    return `${at}/${repository}`;
  }

  test("with the same layer twice, and an empty one: each is fetched once, and the order counts", async () => {
    const [one, two, empty] = [await fileTar("v", "1\n"), await fileTar("v", "2\n"), Buffer.alloc(1024)];
    const made = makeImage([base, one, two, empty, one, empty]);
    await putImage(registry.domain, "twice", made);
    expect(await ok("run", "-q", "--rm", `${at}/twice`, "cat", "/v")).toBe("1");
    expect(way.blobs()).toHaveLength(1 + 4);
    await ok("push", "-q", `${at}/twice`);
    const archive = `${scratch()}/twice.tar`;
    await ok("save", "-o", archive, `${at}/twice`);
    await ok("rmi", `${at}/twice`);
    expect(await ok("load", "-q", "-i", archive)).toBe(`Loaded image: ${at}/twice:latest`);
    expect(await ok("run", "--rm", `${at}/twice`, "cat", "/v")).toBe("1");
  });

  test("of Docker's own media types, as skopeo converts it; schema 1 is refused", async () => {
    const made = makeImage([base, await fileTar("v", "docker\n")]);
    const layout = layoutOf({ v1: made });
    const copy = (format: string): number =>
      Bun.spawnSync([
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        "--format",
        format,
        `oci:${layout}:v1`,
        `docker://${registry.domain}/docker:${format}`,
      ]).exitCode;
    expect(copy("v2s2")).toBe(0);
    expect(await ok("run", "-q", "--rm", `${at}/docker:v2s2`, "cat", "/v")).toBe("docker");
    const [type] = JSON.parse(
      Bun.spawnSync([
        "skopeo",
        "inspect",
        "--raw",
        "--tls-verify=false",
        `docker://${registry.domain}/docker:v2s2`,
      ]).stdout.toString(),
    ).mediaType.split("+");
    expect(type).toBe("application/vnd.docker.distribution.manifest.v2");
    // pushed again, it is the very same manifest
    const digest = await ok("inspect", "-f", "{{index .RepoDigests 0}}", `${at}/docker:v2s2`);
    await ok("push", "-q", `${at}/docker:v2s2`);
    expect(await ok("inspect", "-f", "{{index .RepoDigests 0}}", `${at}/docker:v2s2`)).toBe(digest);
    way.fault = ({ path }) =>
      path.includes("/manifests/old")
        ? {
            status: 200,
            headers: { "Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws" },
            body: '{"schemaVersion":1,"name":"docker","tag":"old","fsLayers":[],"history":[]}',
          }
        : undefined;
    await fails(125, /schema ?(version )?1/i, "pull", "-q", `${at}/docker:old`);
    way.fault = undefined;
  });

  test("by tag and digest together: the digest counts", async () => {
    const first = await putImage(registry.domain, "both:v", makeImage([base, await fileTar("v", "1\n")]));
    await putImage(registry.domain, "both:v", makeImage([base, await fileTar("v", "2\n")]));
    expect(await ok("run", "-q", "--rm", `${at}/both:v@${first}`, "cat", "/v")).toBe("1");
    expect(await ok("run", "-q", "--rm", `${at}/both:v`, "cat", "/v")).toBe("2");
  });

  test("without a command, without a configuration of how to run, without a time", async () => {
    const document = part(
      TYPES.config,
      json({
        architecture: process.arch === "arm64" ? "arm64" : "amd64",
        os: "linux",
        rootfs: { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(base).digest("hex")}`] },
      }),
    );
    const layer = layerOf(base);
    const text = { schemaVersion: 2, config: descriptor(document), layers: [descriptor(layer)] };
    const name = await put("bare", text, TYPES.manifest, [document, layer]);
    expect(await ok("run", "-q", "--rm", name, "echo", "in")).toBe("in");
    await fails(125, /no command was given, and the image names none/, "run", "--rm", name);
    const asked = [
      "Cmd",
      "Entrypoint",
      "Labels",
      "Volumes",
      "ExposedPorts",
      "Healthcheck",
      "Shell",
      "OnBuild",
    ];
    for (const field of asked)
      expect(await ok("inspect", "-f", `{{json .Config.${field}}}`, name)).toBe("null");
    expect(
      await ok("inspect", "-f", "{{.Config.User}}|{{.Config.WorkingDir}}|{{.Config.StopSignal}}", name),
    ).toBe("||");
    expect(await ok("history", "-q", name)).toBe("");
    expect(await ok("images", "--format", "{{.CreatedSince}}", name)).toMatch(/ago|N\/A/);
  });

  test("of a list with attestations, and of a list within a list", async () => {
    const made = makeImage([base, await fileTar("v", "listed\n")]);
    const attestation = makeImage(
      [await fileTar("sbom", "{}")],
      {},
      { document: { architecture: "unknown", os: "unknown" } },
    );
    for (const one of [made, attestation]) {
      for (const blob of [one.config, ...one.layers]) await putBlob(registry.domain, "nested", blob);
      await putManifest(registry.domain, "nested", one.manifest.digest, one.manifest);
    }
    const platform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
    const manifests = [
      { ...descriptor(attestation.manifest), platform: { os: "unknown", architecture: "unknown" } },
      { ...descriptor(made.manifest), platform },
    ];
    const name = await put(
      "nested",
      { schemaVersion: 2, mediaType: TYPES.index, manifests },
      TYPES.index,
      [],
    );
    expect(await ok("run", "-q", "--rm", name, "cat", "/v")).toBe("listed");
    const archive = `${scratch()}/list.tar`;
    const copied = await shell(
      `skopeo copy --all --src-tls-verify=false docker://${registry.domain}/nested oci-archive:${archive}:list:all`,
    );
    expect(copied.code).toBe(0);
    await ok("rmi", name);
    expect(await ok("load", "-q", "-i", archive)).toBe("Loaded image: list:all");
    expect(await ok("run", "--rm", "list:all", "cat", "/v")).toBe("listed");
  });

  test("that is none: an artifact, other digests, too many layers, no layers, a size that is no number", async () => {
    const layer = layerOf(base);
    const { config } = makeImage([base]);
    const empty = part("application/vnd.oci.empty.v1+json", json({}));
    const good = {
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      config: descriptor(config),
      layers: [descriptor(layer)],
    };
    const wrong: Record<string, object> = {
      artifact: {
        ...good,
        artifactType: "application/x",
        config: descriptor(empty),
        layers: [descriptor(empty)],
      },
      none: { ...good, config: descriptor(makeImage([]).config), layers: [] },
    };
    for (const [tag, text] of Object.entries(wrong)) {
      const name = await put(`wrong/${tag}`, text, TYPES.manifest, [
        layer,
        config,
        empty,
        makeImage([]).config,
      ]);
      await fails(125, /image|config|layer/, "pull", "-q", name);
    }
    // what no registry takes may still come from one
    const bodies: Record<string, unknown> = {
      digest: { ...good, layers: [{ ...descriptor(layer), digest: `sha512:${"0".repeat(128)}` }] },
      path: { ...good, layers: [{ ...descriptor(layer), digest: "sha256:../../../../etc/passwd" }] },
      size: { ...good, layers: [{ ...descriptor(layer), size: "many" }] },
      negative: { ...good, config: { ...descriptor(config), size: -1 } },
      huge: { ...good, config: { ...descriptor(config), size: 2 ** 40 } },
      list: [],
      text: "text",
      garbage: undefined,
    };
    for (const [tag, body] of Object.entries(bodies)) {
      way.fault = ({ path }) =>
        path.includes("/manifests/")
          ? {
              status: 200,
              headers: { "Content-Type": TYPES.manifest },
              body: body === undefined ? "{" : JSON.stringify(body),
            }
          : undefined;
      await fails(125, /^mydocker: ./, "pull", "-q", `${at}/first:${tag}`);
    }
    way.fault = undefined;
  });

  test("to a reader who goes away: one line, and the engine is as it was", async () => {
    await putImage(registry.domain, "left", makeImage([base]));
    await ok("pull", "-q", `${at}/left`);
    for (const command of [`save ${at}/left`, "save busybox"]) {
      const left = await shell(`{ $0 ${command}; echo $? >&2; } | head -c 1000 >/dev/null`);
      expect(left.stderr).toMatch(/^(mydocker: [^\n]*(EPIPE|closed|broken)[^\n]*\n)?[0-9]+\n$/i);
    }
    for (const from of ["/dev/null", "/etc/passwd", "/dev/zero"]) {
      const load = await mydocker(["load", "-i", from]);
      expect({ from, ...load }).toMatchObject({ code: 125, stdout: "" });
      expect(load.stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});

test("a process that is to unpack for one that has been killed does nothing", async () => {
  const layer = `${scratch()}/layer.tar`;
  writeFileSync(layer, await fileTar("f", "f\n"));
  const folder = scratch();
  const unpack = async (parent: number): Promise<[number, string[]]> => {
    const [ours, theirs] = messagePair();
    const child = Bun.spawn([BINARY, "__unpack", String(parent)], {
      env: ENV,
      stdio: ["ignore", "pipe", "inherit", theirs],
    });
    sendWithFds(ours, new Uint8Array(1), [openSync(layer, "r"), openSync(folder, "r")]);
    closeSync(ours);
    closeSync(theirs);
    await new Response(child.stdout).text();
    return [await child.exited, readdirSync(folder)];
  };
  expect(await unpack(1)).toEqual([1, []]);
  expect(await unpack(process.pid)).toEqual([0, ["f"]]);
});
