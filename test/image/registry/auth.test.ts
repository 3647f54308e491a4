import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { fetchBlob } from "../../../src/image/registry/download.ts";
import { login, logout } from "../../../src/image/registry/login.ts";
import { digestOf, type Fake, failure, fakeRegistry, Machine, Memory, refused } from "./fake.ts";

const BYTES = randomBytes(50_000);
const BLOB = { digest: digestOf(BYTES), size: BYTES.length };

let machine: Machine;
let fake: Fake;
beforeEach(() => {
  machine = new Machine();
  fake = fakeRegistry();
  fake.blobs.set(BLOB.digest, BYTES);
});
afterEach(() => {
  fake.stop();
  machine.remove();
});
const open = () => openRegistry(fake.domain, machine.options);

interface TokenServer {
  /** The queries and forms that asked for a token. */
  readonly asked: URLSearchParams[];
  readonly authorizations: (string | null)[];
  readonly methods: string[];
  /** Tokens that the registry takes. */
  readonly good: Set<string>;
  stop(): void;
}

/** Gives tokens to everybody, or to those whose Authorization or identity token is right; the fake then wants them. */
function tokens(more: object = {}, right?: string): TokenServer {
  const made: TokenServer = {
    asked: [],
    authorizations: [],
    methods: [],
    good: new Set(),
    stop: () => server.stop(true),
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const form = request.method === "POST" ? new URLSearchParams(await request.text()) : undefined;
      made.asked.push(form ?? new URL(request.url).searchParams);
      made.methods.push(request.method);
      const authorization = request.headers.get("authorization");
      made.authorizations.push(authorization);
      const who = form?.get("refresh_token") ?? authorization;
      if (right !== undefined && who !== right)
        return Response.json({ details: "incorrect username or password" }, { status: 401 });
      const token = `token-${made.asked.length}`;
      made.good.add(token);
      return Response.json({ token, expires_in: 300, ...more });
    },
  });
  const challenge = `Bearer realm="http://127.0.0.1:${server.port}/token",service="reg"`;
  fake.fault = (request) => {
    const token = /^Bearer (.*)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token !== undefined && made.good.has(token)) return undefined;
    return refused(401, "UNAUTHORIZED", "authentication required", { "www-authenticate": challenge });
  };
  return made;
}

describe("tokens", () => {
  test("one for each scope, kept for all requests", async () => {
    const server = tokens();
    const registry = await open();
    for (let n = 0; n < 3; n++) expect(await registry.hasBlob("a/b", BLOB.digest)).toBe(true);
    await registry.hasBlob("c/d", BLOB.digest);
    expect(server.asked.map((query) => query.getAll("scope"))).toEqual([
      ["repository:a/b:pull"],
      ["repository:c/d:pull"],
    ]);
    expect(server.asked[0]?.get("service")).toBe("reg");
    expect(server.authorizations).toEqual([null, null]);
    server.stop();
  });

  test("many at a time wait for one", async () => {
    const server = tokens();
    const registry = await open();
    await Promise.all(Array.from({ length: 8 }, () => registry.hasBlob("a/b", BLOB.digest)));
    expect(server.asked).toHaveLength(1);
    server.stop();
  });

  test("to push, and to mount from another repository", async () => {
    const server = tokens();
    const bytes = Buffer.from("other");
    const blob = {
      digest: digestOf(bytes),
      size: bytes.length,
      async *open() {
        yield bytes;
      },
    };
    expect(await (await open()).uploadBlob("a/b", blob, ["c/d"])).toBe("uploaded");
    expect(server.asked.map((query) => query.getAll("scope"))).toEqual([
      ["repository:a/b:pull,push"],
      ["repository:a/b:pull,push", "repository:c/d:pull"],
    ]);
    server.stop();
  });

  test("that are refused are renewed once, in the middle of a pull as well", async () => {
    const server = tokens();
    const registry = await open();
    const sink = new Memory();
    await registry.hasBlob("a/b", BLOB.digest);
    server.good.clear();
    await fetchBlob(registry, "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(server.asked).toHaveLength(2);
    server.stop();
  });

  test("that have expired are not even sent", async () => {
    const server = tokens({ expires_in: 0.02 });
    const registry = await open();
    await registry.hasBlob("a/b", BLOB.digest);
    await new Promise((resolve) => setTimeout(resolve, 25));
    const before = fake.seen.length;
    await registry.hasBlob("a/b", BLOB.digest);
    expect(fake.seen.length - before).toBe(1);
    expect(server.asked).toHaveLength(2);
    server.stop();
  });

  test("that never suffice: an error after one", async () => {
    const server = tokens();
    server.good.add = () => server.good;
    expect(await failure((await open()).manifest("a/b", "latest"))).toBe(
      `pull access denied for ${fake.domain}/a/b, repository does not exist or may require login: unauthorized: authentication required: 'mydocker login ${fake.domain}'`,
    );
    expect(server.asked).toHaveLength(1);
    server.stop();
  });

  test("by user and password", async () => {
    machine.auth(fake.domain, "me:pass:word");
    const server = tokens({}, `Basic ${btoa("me:pass:word")}`);
    expect(await (await open()).hasBlob("a/b", BLOB.digest)).toBe(true);
    expect(server.asked[0]?.get("account")).toBe("me");
    // the registry itself never saw them
    expect(fake.seen.some(({ authorization }) => authorization?.startsWith("Basic"))).toBe(false);
    server.stop();
  });

  test("by an identity token, in a form", async () => {
    const auths = { [fake.domain]: { auth: btoa("me:"), identitytoken: "long-lived" } };
    machine.write("home/.docker/config.json", JSON.stringify({ auths }));
    const server = tokens({ token: undefined, access_token: "t" }, "long-lived");
    server.good.add("t");
    expect(await (await open()).hasBlob("a/b", BLOB.digest)).toBe(true);
    expect(server.methods).toEqual(["POST"]);
    expect(Object.fromEntries(server.asked[0] ?? [])).toEqual({
      grant_type: "refresh_token",
      client_id: "mydocker",
      refresh_token: "long-lived",
      service: "reg",
      scope: "repository:a/b:pull",
    });
    server.stop();
  });

  test("wrong credentials", async () => {
    machine.auth(fake.domain, "me:wrong");
    const server = tokens({}, "right");
    expect(await failure((await open()).hasBlob("a/b", BLOB.digest))).toMatch(
      /^cannot log in at 127\.0\.0\.1:\d+: unauthorized: incorrect username or password: 'mydocker login 127\.0\.0\.1:\d+'$/,
    );
    expect(server.asked).toHaveLength(1);
    server.stop();
  });

  test("a token server that makes no sense, says too much, or is not there", async () => {
    const answers = ["{}", "no JSON", '{"token":"with\\nline"}', '{"token":5}', "[".repeat(300_000)];
    for (const text of [...answers, `{"token":"${"x".repeat(2 << 20)}"}`]) {
      const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(text) });
      const headers = { "www-authenticate": `Bearer realm="http://127.0.0.1:${server.port}/"` };
      fake.fault = () => refused(401, "UNAUTHORIZED", "who", headers);
      expect(await failure((await open()).hasBlob("a/b", BLOB.digest))).toMatch(
        /gave no token|larger than 1024 KiB/,
      );
      server.stop(true);
    }
    fake.fault = () => refused(401, "X", "who", { "www-authenticate": 'Bearer realm="http://127.0.0.2:1/"' });
    expect(await failure((await open()).hasBlob("a/b", BLOB.digest))).toBe(
      `cannot reach registry ${fake.domain}: 127.0.0.2:1: connection refused`,
    );
  });

  test("a token server that is busy for a moment", async () => {
    const server = tokens();
    const fault = fake.fault;
    let left = 1;
    const busy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        if (left-- > 0) return new Response(null, { status: 503 });
        server.good.add("late");
        return Response.json({ token: "late" });
      },
    });
    fake.fault = async (request, url) => {
      const answer = await fault?.(request, url);
      return (
        answer &&
        refused(401, "X", "who", { "www-authenticate": `Bearer realm="http://127.0.0.1:${busy.port}"` })
      );
    };
    expect(await (await open()).hasBlob("a/b", BLOB.digest)).toBe(true);
    busy.stop(true);
    server.stop();
  });
});

describe("passwords", () => {
  const basic = (right: string) => (request: Request) =>
    request.headers.get("authorization") === `Basic ${btoa(right)}`
      ? undefined
      : refused(401, "UNAUTHORIZED", "authentication required", { "www-authenticate": 'Basic realm="r"' });

  test("are sent only when asked for", async () => {
    machine.auth(fake.domain, "me:right");
    fake.fault = basic("me:right");
    const registry = await open();
    expect(await registry.hasBlob("a/b", BLOB.digest)).toBe(true);
    expect(await registry.hasBlob("a/b", BLOB.digest)).toBe(true);
    expect(fake.paths("HEAD", "/v2/a")).toHaveLength(3);
    expect(fake.seen.find(({ method }) => method === "HEAD")?.authorization).toBeUndefined();
  });

  test("that are wrong, or missing", async () => {
    machine.auth(fake.domain, "me:wrong");
    fake.fault = basic("me:right");
    expect(await failure((await open()).hasBlob("a/b", BLOB.digest))).toContain("may require login");
    expect(fake.paths("HEAD", "/v2/a")).toHaveLength(2);
    machine.auth("elsewhere", "me:right");
    expect(await failure((await open()).hasBlob("a/b", BLOB.digest))).toContain("may require login");
    expect(fake.paths("HEAD", "/v2/a")).toHaveLength(3);
  });

  test("login asks first, then keeps", async () => {
    fake.fault = basic("me:right");
    expect(await failure(login(fake.domain, "me", "wrong", machine.options))).toBe(
      `cannot log in to ${fake.domain}: unauthorized: incorrect username or password: authentication required`,
    );
    expect(await logout(fake.domain, machine.options)).toBe(false);
    const path = `${machine.folder}/home/.docker/config.json`;
    expect(await Bun.file(path).exists()).toBe(false);
    expect(await login(fake.domain, "me", "right", machine.options)).toEqual({ place: path, plain: true });
    expect(await (await open()).hasBlob("a/b", BLOB.digest)).toBe(true);
    expect(await logout(fake.domain, machine.options)).toBe(true);
    expect(await failure((await open()).hasBlob("a/b", BLOB.digest))).toContain("may require login");
  });

  test("login where tokens are used keeps the identity token, if one is given", async () => {
    const server = tokens({ refresh_token: "long-lived" }, `Basic ${btoa("me:right")}`);
    expect(await failure(login(fake.domain, "me", "wrong", machine.options))).toMatch(
      /^cannot log in at 127\.0\.0\.1:\d+: unauthorized: incorrect username or password$/,
    );
    const { place } = await login(fake.domain, "me", "right", machine.options);
    expect(await Bun.file(place).json()).toEqual({
      auths: { [fake.domain]: { auth: btoa("me:"), identitytoken: "long-lived" } },
    });
    expect(server.asked.at(-1)?.get("offline_token")).toBe("true");
    server.stop();
  });

  test("a name with a colon cannot be one", async () => {
    expect(await failure(login(fake.domain, "a:b", "c", machine.options))).toContain("no colon");
  });
});
