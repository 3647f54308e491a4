import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { digestOf, type Fake, failure, fakeRegistry, Machine, refused } from "./fake.ts";

const BYTES = randomBytes(500_000);
const DIGEST = digestOf(BYTES);

let machine: Machine;
let fake: Fake;
beforeEach(() => {
  machine = new Machine();
  fake = fakeRegistry();
});
afterEach(() => {
  fake.stop();
  machine.remove();
});
const open = (domain = fake.domain) => openRegistry(domain, machine.options);

/** A blob whose source uses one buffer for all its pieces, and notes from where it was opened. */
function source(bytes: Uint8Array = BYTES) {
  const opened: number[] = [];
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    opened,
    async *open(offset: number) {
      opened.push(offset);
      const buffer = new Uint8Array(30_000);
      for (let at = offset; at < bytes.length; at += buffer.length) {
        const part = bytes.subarray(at, at + buffer.length);
        buffer.set(part);
        yield buffer.subarray(0, part.length);
      }
    },
  };
}

const methods = (): string[] => fake.seen.filter(({ path }) => path !== "/v2/").map(({ method }) => method);

describe("an upload", () => {
  test("in one request, with its progress", async () => {
    const at: number[] = [];
    expect(await (await open()).uploadBlob("a/b", source(), [], (n) => at.push(n))).toBe("uploaded");
    expect(fake.blobs.get(DIGEST)).toEqual(BYTES);
    expect(methods()).toEqual(["HEAD", "POST", "PUT"]);
    expect(fake.seen.at(-1)?.path).toEndWith(`?_state=a%2Fb%3D&digest=${encodeURIComponent(DIGEST)}`);
    expect(at.at(-1)).toBe(BYTES.length);
    expect(at.length).toBeGreaterThan(10);
  });

  test("of what is there already", async () => {
    fake.blobs.set(DIGEST, BYTES);
    const at: number[] = [];
    expect(await (await open()).uploadBlob("a/b", source(), ["c/d"], (n) => at.push(n))).toBe("exists");
    expect(methods()).toEqual(["HEAD"]);
    expect(at).toEqual([BYTES.length]);
    expect(await (await open()).hasBlob("a/b", DIGEST)).toBe(true);
  });

  test("of no bytes", async () => {
    expect(await (await open()).uploadBlob("a/b", source(new Uint8Array(0)), [])).toBe("uploaded");
    expect(fake.blobs.get(digestOf(new Uint8Array(0)))?.length).toBe(0);
  });

  test("whose source is short is an error, and its session is let go", async () => {
    const short = { ...source(), size: BYTES.length + 1 };
    expect(await failure((await open()).uploadBlob("a/b", short, []))).toContain(
      "it has 500000 bytes where it should have 500001",
    );
    expect(methods().at(-1)).toBe("DELETE");
    expect(fake.blobs.size).toBe(0);
  });

  test("whose source fails: with its error", async () => {
    const broken = {
      ...source(),
      // biome-ignore lint/correctness/useYield: it fails before
      async *open(): AsyncGenerator<Uint8Array> {
        throw new Error("input/output error");
      },
    };
    expect(await failure((await open()).uploadBlob("a/b", broken, []))).toBe("input/output error");
  });

  test("of other bytes than the digest says is refused, not tried another way", async () => {
    const other = { ...source(), digest: digestOf(Buffer.from("x")) };
    expect(await failure((await open()).uploadBlob("a/b", other, []))).toBe(
      `cannot push blob of ${fake.domain}/a/b: digest invalid: provided digest did not match`,
    );
    expect(methods().filter((method) => method === "PUT")).toHaveLength(1);
  });

  test("a signal ends it", async () => {
    const stop = new AbortController();
    const registry = await openRegistry(fake.domain, { ...machine.options, signal: stop.signal });
    const work = registry.uploadBlob("a/b", source(), [], () => stop.abort(new Error("enough")));
    expect(await failure(work)).toBe("enough");
    expect(fake.blobs.size).toBe(0);
  });
});

describe("a mount", () => {
  test("from the first repository that has it", async () => {
    fake.fault = (request, url) => {
      if (request.method === "HEAD") return new Response(null, { status: 404 });
      const from = url.searchParams.get("from");
      return from === "c/d" ? refused(403, "DENIED", "not yours") : undefined;
    };
    fake.blobs.set(DIGEST, BYTES);
    expect(await (await open()).uploadBlob("a/b", source(), ["a/b", "c/d", "e/f"])).toBe("mounted");
    expect(fake.paths("POST", "/v2/a/b/blobs/uploads/")).toEqual([
      `/v2/a/b/blobs/uploads/?mount=${encodeURIComponent(DIGEST)}&from=c%2Fd`,
      `/v2/a/b/blobs/uploads/?mount=${encodeURIComponent(DIGEST)}&from=e%2Ff`,
    ]);
  });

  test("that the registry does not do begins an upload, which is used", async () => {
    expect(await (await open()).uploadBlob("a/b", source(), ["c/d", "e/f"])).toBe("uploaded");
    // the session of the first is let go, that of the second used
    expect(methods()).toEqual(["HEAD", "POST", "DELETE", "POST", "PUT"]);
    expect(fake.blobs.get(DIGEST)).toEqual(BYTES);
  });
});

describe("in chunks", () => {
  test("where the registry takes no whole one", async () => {
    fake.fault = (request) =>
      request.method === "PUT" && request.headers.get("content-length") !== "0"
        ? refused(405, "UNSUPPORTED", "chunks only")
        : undefined;
    expect(await (await open()).uploadBlob("a/b", source(), [])).toBe("uploaded");
    expect(fake.blobs.get(DIGEST)).toEqual(BYTES);
    expect(methods()).toEqual(["HEAD", "POST", "PUT", "POST", "PATCH", "PUT"]);
    const patch = fake.seen.find(({ method }) => method === "PATCH");
    expect(patch?.headers.get("content-range")).toBe(`0-${BYTES.length - 1}`);
  });

  test("smaller ones where a proxy finds them too large", async () => {
    const large = randomBytes(5 << 20);
    fake.fault = (request) =>
      Number(request.headers.get("content-length")) > 2 << 20
        ? new Response("too large", { status: 413 })
        : undefined;
    expect(await (await open()).uploadBlob("a/b", source(large), [])).toBe("uploaded");
    expect(digestOf(fake.blobs.get(digestOf(large)) ?? new Uint8Array(0))).toBe(digestOf(large));
    expect(fake.seen.filter(({ headers }) => headers.get("content-range") !== null).length).toBeGreaterThan(
      2,
    );
  });

  test("on from where a cut one ended", async () => {
    // the registry took a part of the whole one, then the connection was lost
    let first = true;
    fake.fault = async (request, url) => {
      if (request.method !== "PUT" || !first) return undefined;
      first = false;
      const part = BYTES.subarray(0, 200_000);
      await fetch(`http://${fake.domain}${url.pathname}`, { method: "PATCH", body: part });
      return refused(502, "X", "bad gateway");
    };
    const blob = source();
    expect(await (await open()).uploadBlob("a/b", blob, [])).toBe("uploaded");
    expect(fake.blobs.get(DIGEST)).toEqual(BYTES);
    expect(blob.opened.at(-1)).toBe(200_000);
  });

  test("anew where the registry has forgotten the session", async () => {
    let left = 2;
    fake.fault = (request, url) => {
      if (request.method === "PUT" && left-- > 0) return refused(503, "X", "down");
      const status = request.method === "GET" && url.pathname.includes("uploads");
      return status ? refused(404, "BLOB_UPLOAD_UNKNOWN", "gone") : undefined;
    };
    expect(await (await open()).uploadBlob("a/b", source(), [])).toBe("uploaded");
    expect(fake.paths("POST", "/v2/a/b")).toHaveLength(3);
  });

  test("an answer that was lost is no reason to send all again", async () => {
    fake.fault = async (request, url) => {
      if (request.method !== "PUT") return undefined;
      fake.blobs.set(url.searchParams.get("digest") ?? "", await request.bytes());
      return refused(504, "X", "too late");
    };
    expect(await (await open()).uploadBlob("a/b", source(), [])).toBe("uploaded");
    expect(methods().filter((method) => method === "PUT")).toHaveLength(1);
  });

  test("a few tries only", async () => {
    fake.fault = (request) => (request.method === "PUT" ? refused(503, "UNAVAILABLE", "down") : undefined);
    expect(await failure((await open()).uploadBlob("a/b", source(), []))).toContain("unavailable: down");
    // that all bytes arrived is something new, once
    expect(methods().filter((method) => method === "PUT")).toHaveLength(6);
  });
});

test("a refusal to begin", async () => {
  fake.fault = (request) => (request.method === "POST" ? refused(403, "DENIED", "read only") : undefined);
  expect(await failure((await open()).uploadBlob("a/b", source(), []))).toBe(
    `push access denied for ${fake.domain}/a/b: denied: read only: 'mydocker login ${fake.domain}'`,
  );
});
