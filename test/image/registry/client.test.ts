import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { RegistryError } from "../../../src/image/registry/errors.ts";
import { EngineError } from "../../../src/linux/errors.ts";
import {
  digestOf,
  type Fake,
  failure,
  fakeRegistry,
  IMPATIENT,
  Machine,
  rawServer,
  refused,
} from "./fake.ts";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST = Buffer.from('{"schemaVersion":2}');

let machine: Machine;
let fake: Fake;
beforeEach(() => {
  machine = new Machine();
  fake = fakeRegistry();
  fake.manifests.set("a/b:latest", { type: OCI, bytes: MANIFEST });
  fake.manifests.set(`a/b:${digestOf(MANIFEST)}`, { type: OCI, bytes: MANIFEST });
});
afterEach(() => {
  fake.stop();
  machine.remove();
});
const open = () => openRegistry(fake.domain, machine.options);

describe("manifests", () => {
  test("by tag and by digest, with their bytes and type", async () => {
    const registry = await open();
    for (const reference of ["latest", digestOf(MANIFEST)]) {
      const got = await registry.manifest("a/b", reference);
      expect(Buffer.from(got.bytes)).toEqual(MANIFEST);
      expect(got).toMatchObject({ mediaType: OCI, digest: digestOf(MANIFEST) });
    }
    const [first] = fake.seen.filter(({ path }) => path.includes("manifests"));
    expect(first?.headers.get("accept")).toContain("application/vnd.oci.image.index.v1+json");
    expect(first?.headers.get("user-agent")).toMatch(/^mydocker\/\d/);
    expect(first?.authorization).toBeUndefined();
  });

  test("a type with parameters", async () => {
    fake.manifests.set("a/b:latest", { type: `${OCI}; charset=utf-8`, bytes: MANIFEST });
    expect((await (await open()).manifest("a/b", "latest")).mediaType).toBe(OCI);
  });

  test("other bytes than the digest says are refused", async () => {
    fake.fault = (_, url) => (url.pathname.includes("manifests") ? new Response("{ }") : undefined);
    expect(await failure((await open()).manifest("a/b", digestOf(MANIFEST)))).toContain(
      "its digest is sha256:",
    );
    fake.fault = (_, url) =>
      url.pathname.includes("manifests")
        ? new Response("{ }", { headers: { "docker-content-digest": digestOf(MANIFEST) } })
        : undefined;
    expect(await failure((await open()).manifest("a/b", "latest"))).toContain("is not what it should be");
  });

  test("more than 4 MiB are not read, announced or not", async () => {
    const large = new Uint8Array((4 << 20) + 1);
    fake.manifests.set("a/b:latest", { type: OCI, bytes: large });
    expect(await failure((await open()).manifest("a/b", "latest"))).toContain("larger than 4096 KiB");
    fake.fault = (_, url) => {
      if (!url.pathname.includes("manifests")) return undefined;
      return new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)),
        }),
      );
    };
    expect(await failure((await open()).manifest("a/b", "latest"))).toContain("larger than 4096 KiB");
  });

  test("exactly 4 MiB are", async () => {
    const large = new Uint8Array(4 << 20);
    fake.manifests.set("a/b:latest", { type: OCI, bytes: large });
    expect((await (await open()).manifest("a/b", "latest")).bytes.length).toBe(4 << 20);
  });

  test("schema 1 is refused in words", async () => {
    const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    fake.manifests.set("a/b:latest", { type, bytes: MANIFEST });
    expect(await failure((await open()).manifest("a/b", "latest"))).toContain("old format (schema 1)");
  });

  test("one that is not there", async () => {
    const registry = await open();
    const error = await registry.manifest("a/b", "nope").catch((one: unknown) => one);
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ status: 404, code: "MANIFEST_UNKNOWN" });
    expect((error as Error).message).toBe(`manifest for ${fake.domain}/a/b:nope not found: manifest unknown`);
    expect(await registry.hasManifest("a/b", "nope")).toBeUndefined();
  });

  test("the digest of a tag, also from a registry that does not tell it", async () => {
    const registry = await open();
    expect(await registry.hasManifest("a/b", "latest")).toBe(digestOf(MANIFEST));
    expect(fake.paths("GET", "/v2/a")).toEqual([]);
    fake.fault = (request) => (request.method === "HEAD" ? new Response(null) : undefined);
    expect(await registry.hasManifest("a/b", "latest")).toBe(digestOf(MANIFEST));
  });

  test("are stored, and come back", async () => {
    const registry = await open();
    const bytes = Buffer.from('{"schemaVersion":2,"config":{}}');
    expect(await registry.putManifest("a/b", "new", OCI, bytes)).toBe(digestOf(bytes));
    expect(fake.manifests.get("a/b:new")?.type).toBe(OCI);
    expect((await registry.manifest("a/b", "new")).digest).toBe(digestOf(bytes));
  });

  test("a registry that stores something else is found out", async () => {
    const headers = { "docker-content-digest": `sha256:${"0".repeat(64)}` };
    fake.fault = (request) =>
      request.method === "PUT" ? new Response(null, { status: 201, headers }) : undefined;
    expect(await failure((await open()).putManifest("a/b", "t", OCI, MANIFEST))).toContain(
      "stored something else",
    );
  });
});

describe("refusals", () => {
  const answered = async (status: number, body: string, headers: Record<string, string> = {}) => {
    fake.fault = (_, url) => (url.pathname === "/v2/" ? undefined : new Response(body, { status, headers }));
    return failure((await open()).manifest("a/b", "latest"));
  };
  const body = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });

  test("denied on a pull and on a push", async () => {
    expect(await answered(403, body("DENIED", "requested access to the resource is denied"))).toBe(
      `pull access denied for ${fake.domain}/a/b, repository does not exist or may require login: denied: requested access to the resource is denied: 'mydocker login ${fake.domain}'`,
    );
    expect(await failure((await open()).putManifest("a/b", "latest", OCI, MANIFEST))).toBe(
      `push access denied for ${fake.domain}/a/b: denied: requested access to the resource is denied: 'mydocker login ${fake.domain}'`,
    );
  });

  test("too many requests: at once where the wait is longer than anyone's patience", async () => {
    expect(
      await answered(429, body("TOOMANYREQUESTS", "You have reached your pull rate limit"), {
        "retry-after": "21600",
      }),
    ).toBe(
      `cannot pull ${fake.domain}/a/b:latest: toomanyrequests: You have reached your pull rate limit: try again in 21600 seconds`,
    );
    expect(fake.paths("GET", "/v2/a")).toHaveLength(1);
  });

  test("bodies that are no errors", async () => {
    for (const text of ["", "<html>", "null", "[]", '{"errors":5}', '{"errors":[]}', "[".repeat(200_000)])
      expect(await answered(418, text)).toBe(
        `cannot pull ${fake.domain}/a/b:latest: the registry answered 418`,
      );
    expect(await answered(418, "x".repeat(2 << 20))).toContain("the registry answered 418");
  });

  test("what a terminal would obey is left out, and long texts are cut", async () => {
    expect(await answered(418, body("X", "a\u001b[31m\nb\u202e"))).toEndWith(": x: a [31m b");
    expect((await answered(418, body("X", "y".repeat(5000)))).length).toBeLessThan(500);
  });
});

describe("what may pass", () => {
  test("503 with Retry-After, 429, 500: tried again", async () => {
    let left = 3;
    fake.fault = (_, url) => {
      if (!url.pathname.includes("manifests") || left === 0) return undefined;
      left--;
      return refused([500, 429, 503][left] ?? 503, "X", "later", { "retry-after": "0" });
    };
    expect((await (await open()).manifest("a/b", "latest")).digest).toBe(digestOf(MANIFEST));
    expect(fake.paths("GET", "/v2/a")).toHaveLength(4);
  });

  test("Retry-After is waited for", async () => {
    let left = 1;
    const date = new Date(Date.now() + 1000).toUTCString();
    fake.fault = (_, url) =>
      url.pathname.includes("manifests") && left-- > 0
        ? refused(503, "X", "later", { "retry-after": date })
        : undefined;
    const registry = await openRegistry(fake.domain, {
      ...machine.options,
      timing: { backoff: 1, longest: 3000 },
    });
    await registry.hasManifest("a/b", "latest");
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(date));
  });

  test("a few times only", async () => {
    fake.fault = (_, url) =>
      url.pathname.includes("manifests") ? refused(503, "UNAVAILABLE", "down") : undefined;
    expect(await failure((await open()).manifest("a/b", "latest"))).toBe(
      `cannot pull ${fake.domain}/a/b:latest: unavailable: down`,
    );
    expect(fake.paths("GET", "/v2/a")).toHaveLength(5);
  });

  test("a manifest that is cut in the middle, and a server that stalls", async () => {
    let tries = 0;
    const raw = rawServer((_, socket) => {
      tries++;
      const head = `HTTP/1.1 200 OK\r\nContent-Type: ${OCI}\r\nContent-Length: ${MANIFEST.length}\r\n\r\n`;
      if (tries === 1) return void socket.end(`${head}{"sch`);
      if (tries === 2) return void socket.write(`${head}{"sch`);
      if (tries === 3) return;
      socket.write(head + MANIFEST.toString());
    });
    const registry = await openRegistry(raw.domain, { ...machine.options, timing: IMPATIENT });
    expect((await registry.manifest("a/b", "latest")).digest).toBe(digestOf(MANIFEST));
    expect(tries).toBe(4);
    raw.stop();
  });
});

describe("no answer", () => {
  const port = (): string => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const domain = `127.0.0.1:${server.port}`;
    server.stop(true);
    return domain;
  };

  test("connection refused, at once", async () => {
    const domain = port();
    const registry = await openRegistry(domain, machine.options);
    expect(await failure(registry.manifest("a/b", "t"))).toBe(
      `cannot reach registry ${domain}: connection refused`,
    );
  });

  test("a name that does not resolve", async () => {
    const registry = await openRegistry("nosuch.invalid", machine.options);
    expect(await failure(registry.manifest("a/b", "t"))).toMatch(
      /^cannot reach registry nosuch.invalid: (?:no such host|the name cannot be resolved)/,
    );
  });

  test("what is no HTTP, and headers without an end", async () => {
    const flood = rawServer((_, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${`X: ${"a".repeat(1000)}\r\n`.repeat(2000)}`);
    });
    const registry = await openRegistry(flood.domain, machine.options);
    expect(await failure(registry.manifest("a/b", "t"))).toContain("not readable as HTTP");
    flood.stop();
  });

  test("an aborted signal ends all at once with its reason", async () => {
    const silent = rawServer(() => {});
    const stop = new AbortController();
    const registry = await openRegistry(silent.domain, {
      ...machine.options,
      timing: { stall: 60_000 },
      signal: stop.signal,
    });
    const work = registry.manifest("a/b", "t");
    setTimeout(() => stop.abort(new EngineError("interrupted", 130)), 20);
    expect(await failure(work)).toBe("interrupted");
    expect(await failure(registry.hasBlob("a/b", digestOf(MANIFEST)))).toBe("interrupted");
    silent.stop();
  });

  test("an aborted signal ends a wait, too", async () => {
    fake.fault = () => refused(503, "X", "later");
    const stop = new AbortController();
    const registry = await openRegistry(fake.domain, {
      ...machine.options,
      timing: { backoff: 60_000 },
      signal: stop.signal,
    });
    const work = registry.manifest("a/b", "t");
    setTimeout(() => stop.abort(new Error("enough")), 20);
    expect(await failure(work)).toBe("enough");
  });
});
