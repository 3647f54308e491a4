/** Pulls and pushes against Debian's docker-registry. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { background, fails, mydocker, ok, type Result, ROOT, scratch, suite } from "./harness.ts";
import {
  baseTar,
  descriptor,
  fileTar,
  json,
  layerOf,
  makeImage,
  part,
  putBlob,
  putImage,
  putManifest,
  TYPES,
} from "./made-images.ts";
import { describeWithRegistry, type Registry, startRegistry } from "./registry.ts";

suite();

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const blobs = (): string[] => (existsSync(`${ROOT}/blobs/sha256`) ? readdirSync(`${ROOT}/blobs/sha256`) : []);
const partials = (): string[] =>
  existsSync(`${ROOT}/blobs/partial`) ? readdirSync(`${ROOT}/blobs/partial`) : [];
const layers = (): string[] => (existsSync(`${ROOT}/layers`) ? readdirSync(`${ROOT}/layers`) : []);

describeWithRegistry("a plain registry", () => {
  let registry: Registry;
  let at: string;
  let base: Buffer;
  beforeAll(async () => {
    registry = await startRegistry(scratch(), "plain");
    at = registry.domain;
    base = await baseTar();
  });
  afterAll(() => registry.stop());

  test("pull: lines, the name at the end; run; again it is up to date; --quiet is the name alone", async () => {
    const made = makeImage([base, await fileTar("hello", "world\n")]);
    const digest = await putImage(at, "first/hello:v1", made);
    const name = `${at}/first/hello:v1`;
    const shown = lines(await ok("pull", name));
    expect(shown[0]).toBe("v1: Pulling from first/hello");
    expect(shown.slice(-3)).toEqual([
      `Digest: ${digest}`,
      `Status: Downloaded newer image for ${name}`,
      name,
    ]);
    for (const { digest: layer } of made.layers) {
      const short = layer.slice(7, 19);
      expect(shown).toContain(`${short}: Pull complete`);
    }
    expect(await ok("run", "--rm", name, "cat", "/hello")).toBe("world");
    expect(lines(await ok("pull", name)).slice(-2)).toEqual([
      `Status: Image is up to date for ${name}`,
      name,
    ]);
    expect(await ok("pull", "-q", name)).toBe(name);
    expect(await ok("images", "--no-trunc", "--digests", "--format", "{{.ID}} {{.Digest}}", name)).toBe(
      `${made.config.digest} ${digest}`,
    );
    expect(await ok("inspect", "-f", "{{json .RepoDigests}}", name)).toBe(
      JSON.stringify([`${at}/first/hello@${digest}`]),
    );
    await ok("rmi", name);
  });

  test("by digest: no tag; run by it too", async () => {
    const digest = await putImage(at, "by/digest", makeImage([base, await fileTar("which", "this\n")]));
    const name = `${at}/by/digest@${digest}`;
    expect(lines(await ok("pull", name)).at(-1)).toBe(name);
    expect(await ok("images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}")).toContain(
      `${at}/by/digest <none> ${digest}`,
    );
    expect(await ok("run", "--rm", name, "cat", "/which")).toBe("this");
    await ok("rmi", name);
    expect(await ok("run", "--rm", "-q", name, "cat", "/which")).toBe("this");
    await ok("rmi", name);
    await fails(125, /not found/, "pull", "-q", `${at}/by/digest@sha256:${"0".repeat(64)}`);
  });

  test("run --pull: missing pulls what is not there, never does not, always asks each time", async () => {
    const name = `${at}/moving:v1`;
    await putImage(at, "moving:v1", makeImage([base, await fileTar("v", "1\n")]));
    await fails(125, /No such image: .*moving:v1/, "run", "--rm", "--pull", "never", name, "cat", "/v");
    const first = await mydocker(["run", "--rm", name, "cat", "/v"]);
    expect(first).toMatchObject({ code: 0, stdout: "1\n" });
    expect(lines(first.stderr)[0]).toBe(`Unable to find image '${name}' locally`);
    const { name: container } = await background(name, "sleep", "1000");
    await putImage(at, "moving:v1", makeImage([base, await fileTar("v", "2\n")]));
    expect(await mydocker(["run", "--rm", name, "cat", "/v"])).toEqual({
      code: 0,
      stdout: "1\n",
      stderr: "",
    });
    expect(await mydocker(["run", "--rm", "--pull", "never", name, "cat", "/v"])).toMatchObject({
      stdout: "1\n",
    });
    const always = await mydocker(["run", "--rm", "--pull", "always", "-q", name, "cat", "/v"]);
    expect(always).toEqual({ code: 0, stdout: "2\n", stderr: "" });
    expect(await ok("exec", container, "cat", "/v")).toBe("1");
    // the old one has no tag any more, and goes when nobody uses it
    const dangling = lines(await ok("images", "-q", "--no-trunc", "-f", "dangling=true"));
    expect(dangling).toEqual([await ok("inspect", "-f", "{{.Image}}", container)]);
    expect(await ok("image", "prune", "-f")).not.toContain(dangling[0] ?? "?");
    await ok("rm", "-f", container);
    expect(await ok("image", "prune", "-f")).toContain(`deleted: ${dangling[0]}`);
    expect(await ok("images", "-q", "-f", "dangling=true")).toBe("");
    await ok("rmi", name);
  });

  test("a list of manifests: this machine's, or that of --platform; one that there is none of is an error", async () => {
    const entries: object[] = [];
    const ids: Record<string, string> = {};
    for (const [architecture, variant] of [["amd64"], ["arm64", "v8"], ["arm", "v7"]]) {
      const text = `${architecture} ${variant ?? ""}`.trim();
      const document = { architecture, ...(variant && { variant }) };
      const made = makeImage([base, await fileTar("which", `${text}\n`)], {}, { document });
      for (const one of [made.config, ...made.layers]) await putBlob(at, "many", one);
      await putManifest(at, "many", made.manifest.digest, made.manifest);
      entries.push({ ...descriptor(made.manifest), platform: { os: "linux", ...document } });
      ids[text] = made.config.digest;
    }
    const list = part(TYPES.index, json({ schemaVersion: 2, mediaType: TYPES.index, manifests: entries }));
    await putManifest(at, "many", "latest", list);
    const name = `${at}/many`;
    const idOf = (): Promise<string> => ok("inspect", "-f", "{{.Id}}", name);
    const own = process.arch === "arm64" ? "arm64 v8" : "amd64";
    expect(await ok("pull", name)).toContain(`Digest: ${list.digest}`);
    expect(await idOf()).toBe(ids[own] ?? "");
    expect(await ok("run", "--rm", name, "cat", "/which")).toBe(own);
    for (const [platform, id] of [
      ["linux/arm64", "arm64 v8"],
      ["linux/arm/v7", "arm v7"],
      ["linux/amd64", "amd64"],
    ]) {
      await ok("pull", "-q", "--platform", platform ?? "", name);
      expect(await idOf()).toBe(ids[id ?? ""] ?? "");
      expect(await ok("inspect", "-f", "{{.Os}}/{{.Architecture}}", name)).toBe(
        (platform ?? "").replace("/v7", ""),
      );
    }
    await fails(125, /linux\/s390x/, "pull", "-q", "--platform", "linux/s390x", name);
    await fails(125, /linux\/s390x/, "run", "--rm", "-q", "--platform", "linux/s390x", name, "true");
    const variable = await mydocker(["pull", "-q", name], {
      env: { DOCKER_DEFAULT_PLATFORM: "linux/arm64" },
    });
    expect(variable.code).toBe(0);
    expect(await idOf()).toBe(ids["arm64 v8"] ?? "");
    await ok("rmi", name);
    await ok("image", "prune", "-f");
  });

  test("layers that are plain, gzip and zstd, of one image; what others share comes once", async () => {
    const files = ["a", "b", "c"];
    const tars = [base, ...(await Promise.all(files.map((name) => fileTar(name, `${name}\n`))))];
    const mixed = (["plain", "gzip", "zstd", "gzip"] as const).map((how, i) => layerOf(tars[i] ?? base, how));
    await putImage(at, "mixed", makeImage(tars, {}, { layers: mixed }));
    expect(await ok("run", "-q", "--rm", `${at}/mixed`, "cat", "/a", "/b", "/c")).toBe("a\nb\nc");
    const before = layers().length;
    // the same content in other clothes: the layers are there already
    await putImage(at, "mixed:gz", makeImage([...tars, await fileTar("d", "d\n")], {}, { how: "gzip" }));
    expect(await ok("run", "-q", "--rm", `${at}/mixed:gz`, "cat", "/a", "/d")).toBe("a\nd");
    expect(layers()).toHaveLength(before + 1);
    await ok("rmi", `${at}/mixed`, `${at}/mixed:gz`);
  });

  test("an image of 127 layers runs, one of 128 is refused", async () => {
    const tars = [base];
    for (let i = 1; i < 128; i++) tars.push(await fileTar(`f/${i}`, `${i}\n`));
    await putImage(at, "high:127", makeImage(tars.slice(0, 127)));
    await putImage(at, "high:128", makeImage(tars));
    const count = await ok(
      "run",
      "-q",
      "--rm",
      `${at}/high:127`,
      "sh",
      "-c",
      "ls /f | wc -l; cat /f/1 /f/126",
    );
    expect(count).toBe("126\n1\n126");
    await fails(125, /127/, "pull", "-q", `${at}/high:128`);
    await ok("rmi", `${at}/high:127`);
  });

  test("push: an image that was committed, pulled again from there; another repository gets it without an upload", async () => {
    const { name } = await background("busybox", "sh", "-c", "echo mine >/mine; exec sleep 1000");
    const image = `${at}/pushed:v1`;
    await ok("commit", "-m", "message", name, image);
    const id = await ok("inspect", "-f", "{{.Id}}", image);
    const shown = lines(await ok("push", image));
    expect(shown[0]).toBe(`The push refers to repository [${at}/pushed]`);
    const [, digest] = /^v1: digest: (sha256:[0-9a-f]{64}) size: [0-9]+$/.exec(shown.at(-1) ?? "") ?? [];
    expect(digest).toBeDefined();
    expect(shown.some((line) => line.endsWith(": Pushed"))).toBe(true);
    const again = lines(await ok("push", image));
    expect(again.filter((line) => line.endsWith(": Layer already exists"))).toHaveLength(2);
    expect(again.at(-1)).toBe(shown.at(-1) ?? "");
    await ok("tag", image, `${at}/elsewhere`);
    const mounted = await ok("push", `${at}/elsewhere`);
    expect(lines(mounted)[0]).toBe("Using default tag: latest");
    expect(lines(mounted).filter((line) => line.endsWith(": Mounted"))).toHaveLength(2);
    await ok("rmi", image, `${at}/elsewhere`);
    expect(await ok("run", "-q", "--rm", `${at}/pushed@${digest}`, "cat", "/mine")).toBe("mine");
    expect(await ok("run", "-q", "--rm", `${at}/elsewhere`, "cat", "/mine")).toBe("mine");
    expect(await ok("inspect", "-f", "{{.Id}} {{.Comment}}", `${at}/elsewhere`)).toBe(`${id} message`);
    const seen = Bun.spawnSync(["skopeo", "inspect", "--tls-verify=false", `docker://${image}`]);
    expect(JSON.parse(seen.stdout.toString())).toMatchObject({ Digest: digest });
    await ok("rmi", "-f", id);
  });

  test("push and pull --all-tags; what cannot be pushed", async () => {
    await ok("tag", "busybox", `${at}/every:one`);
    await ok("tag", "busybox", `${at}/every:two`);
    await ok("push", "-q", "-a", `${at}/every`);
    const tags = await (await fetch(`http://${at}/v2/every/tags/list`)).json();
    expect(tags).toEqual({ name: "every", tags: ["one", "two"] });
    await ok("rmi", `${at}/every:one`, `${at}/every:two`);
    await fails(1, /An image does not exist locally with the tag: .*every/, "push", `${at}/every:one`);
    await fails(1, /tag can't be used with --all-tags/, "push", "-a", `${at}/every:one`);
    expect(await ok("pull", "-q", "-a", `${at}/every`)).toBe(`${at}/every`);
    const pulled = await ok("images", "--format", "{{.Tag}}", `${at}/every`);
    expect(lines(pulled).sort()).toEqual(["one", "two"]);
    await fails(125, /repository .*never\/was not found/, "pull", "-q", "-a", `${at}/never/was`);
    await fails(1, /tag can't be used with --all-tags/, "pull", "-a", `${at}/every:one`);
    await ok("rmi", `${at}/every:one`, `${at}/every:two`);
  });

  test("what is not there, and what is no name", async () => {
    await fails(125, /manifest for .*first\/hello:nope not found/, "pull", "-q", `${at}/first/hello:nope`);
    const run = await mydocker(["run", `${at}/never/was`, "true"]);
    expect(run).toMatchObject({ code: 125, stdout: "" });
    expect(lines(run.stderr)).toEqual([
      expect.stringContaining(`Unable to find image '${at}/never/was:latest' locally: manifest for`),
    ]);
    await fails(125, /invalid reference format/, "pull", `${at}/UPPER`);
    await fails(125, /connection refused|refused/i, "pull", "-q", "127.0.0.1:1/x");
    expect(partials()).toEqual([]);
  });

  test("all of it gone: no layer and no blob stays", async () => {
    await ok("image", "prune", "-af");
    expect({ blobs: blobs(), partials: partials() }).toEqual({ blobs: [], partials: [] });
    expect(layers().length).toBeLessThanOrEqual(1);
  });
});

describeWithRegistry("a registry with passwords", () => {
  let registry: Registry;
  let home: string;
  let run: (args: string[], stdin?: string) => Promise<Result>;
  beforeAll(async () => {
    registry = await startRegistry(scratch(), "password");
    home = scratch();
    run = (args, stdin) => mydocker(args, { env: { HOME: home }, ...(stdin !== undefined && { stdin }) });
    await ok("tag", "busybox", `${registry.domain}/secret`);
  });
  afterAll(() => registry.stop());

  const oneLine = ({ stderr }: Result): string => {
    expect(lines(stderr)).toHaveLength(1);
    return stderr;
  };

  test("login, and what that opens; a wrong password; logout", async () => {
    const at = registry.domain;
    const config = `${home}/.docker/config.json`;
    const pushed = ["push", "-q", `${at}/secret`];
    const refused = await run(pushed);
    expect(refused.code).toBe(125);
    expect(oneLine(refused)).toMatch(/push access denied/);
    const wrong = await run(["login", "-u", "me", "--password-stdin", at], "wrong\n");
    expect([wrong.code, wrong.stdout]).toEqual([125, ""]);
    expect(oneLine(wrong)).toMatch(/unauthorized: incorrect username or password/);
    expect(existsSync(config)).toBe(false);

    const login = await run(["login", "-u", "me", "--password-stdin", at], "right\n");
    expect(login).toMatchObject({ code: 0, stdout: "Login Succeeded\n" });
    expect(oneLine(login)).toContain(`stored unencrypted in ${config}`);
    expect(statSync(config).mode & 0o7777).toBe(0o600);
    expect(statSync(`${home}/.docker`).mode & 0o7777).toBe(0o700);
    const auth = Buffer.from("me:right").toString("base64");
    expect(JSON.parse(readFileSync(config, "utf8"))).toEqual({ auths: { [at]: { auth } } });
    // with what is kept
    expect(await run(["login", at])).toMatchObject({
      code: 0,
      stdout: "Authenticating with existing credentials...\nLogin Succeeded\n",
    });
    expect((await run(pushed)).code).toBe(0);
    await ok("rmi", `${at}/secret`);
    expect(await run(["run", "--rm", "-q", `${at}/secret`, "echo", "in"])).toEqual({
      code: 0,
      stdout: "in\n",
      stderr: "",
    });

    const logout = await run(["logout", at]);
    expect(logout).toEqual({ code: 0, stdout: `Removing login credentials for ${at}\n`, stderr: "" });
    expect(JSON.parse(readFileSync(config, "utf8")).auths ?? {}).toEqual({});
    expect((await run(["logout", at])).stdout).toBe(`Not logged in to ${at}\n`);
    const after = await run(["pull", "-q", `${at}/secret`]);
    expect(after.code).not.toBe(0);
    expect(oneLine(after)).toMatch(/pull access denied .*mydocker login/);
    // what is here needs no registry
    expect((await run(["run", "--rm", `${at}/secret`, "true"])).code).toBe(0);
    await ok("rmi", `${at}/secret`);
  });

  test("DOCKER_CONFIG, and all else that is in the file stays", async () => {
    const at = registry.domain;
    const folder = scratch();
    const before = {
      auths: { "other.example": { auth: "eDp5" } },
      HttpHeaders: { "X-Mine": "1" },
      detachKeys: "ctrl-q",
    };
    writeFileSync(`${folder}/config.json`, JSON.stringify(before), { mode: 0o640 });
    const env = { HOME: home, DOCKER_CONFIG: folder };
    const login = await mydocker(["login", "-u", "me", "-p", "right", at], { env });
    expect(login).toMatchObject({ code: 0, stdout: "Login Succeeded\n" });
    expect(login.stderr).toContain("Using --password via the CLI is insecure");
    const auth = Buffer.from("me:right").toString("base64");
    const read = (): unknown => JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
    expect(read()).toEqual({ ...before, auths: { ...before.auths, [at]: { auth } } });
    expect(statSync(`${folder}/config.json`).mode & 0o7777).toBe(0o600);
    expect((await mydocker(["pull", "-q", `${at}/secret`], { env })).code).toBe(0);
    expect((await mydocker(["logout", at], { env })).code).toBe(0);
    expect(read()).toEqual(before);
    await ok("rmi", `${at}/secret`);
  });

  test("a login without a terminal to ask on", async () => {
    const asked = await run(["login", registry.domain]);
    expect(asked.code).toBe(1);
    expect(oneLine(asked)).toMatch(/non TTY/);
  });
});

describeWithRegistry("a registry by TLS", () => {
  test("with a CA in certs.d it has to be of that one", async () => {
    const registry = await startRegistry(scratch(), "tls");
    try {
      const at = registry.domain;
      const home = scratch();
      const env = { HOME: home };
      const image = `${at}/by/tls`;
      await ok("tag", "busybox", image);
      const certs = `${home}/.config/containers/certs.d/${at}`;
      mkdirSync(certs, { recursive: true });
      writeFileSync(`${certs}/ca.crt`, readFileSync(registry.ca.replace("ca.crt", "stranger.crt")));
      const untrusted = await mydocker(["push", "-q", image], { env });
      expect(untrusted).toMatchObject({ code: 125, stdout: "" });
      expect(lines(untrusted.stderr)).toHaveLength(1);
      expect(untrusted.stderr).toMatch(/certificate is not trusted/);
      writeFileSync(`${certs}/ca.crt`, readFileSync(registry.ca));
      expect((await mydocker(["push", "-q", image], { env })).code).toBe(0);
      await ok("rmi", image);
      expect(await mydocker(["run", "-q", "--rm", image, "echo", "in"], { env })).toEqual({
        code: 0,
        stdout: "in\n",
        stderr: "",
      });
      await ok("rmi", image);
    } finally {
      await registry.stop();
    }
  });
});
