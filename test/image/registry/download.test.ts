import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { fetchBlob, type Sink } from "../../../src/image/registry/download.ts";
import { digestOf, type Fake, failure, fakeRegistry, IMPATIENT, Machine, Memory, refused } from "./fake.ts";
import { BLOB, BYTES, begun, endAt, faulty, partial, send, WHOLE } from "./faulty.ts";

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
const open = (domain = fake.domain) => openRegistry(domain, machine.options);

describe("a blob", () => {
  test("in one go, with its progress", async () => {
    const sink = new Memory();
    const at: number[] = [];
    await fetchBlob(await open(), "a/b", BLOB, sink, { progress: (n) => at.push(n) });
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(at.at(-1)).toBe(BLOB.size);
    expect(at).toEqual([...at].sort((a, b) => a - b));
  });

  test("of which a part is there", async () => {
    const sink = begun(1000);
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(fake.seen.at(-1)?.headers.get("range")).toBe("bytes=1000-");
  });

  test("that is all there is not asked for", async () => {
    await fetchBlob(await open(), "a/b", BLOB, begun(BLOB.size));
    expect(fake.seen).toEqual([]);
  });

  test("of no bytes needs no request", async () => {
    await fetchBlob(await open(), "a/b", { digest: digestOf(Buffer.alloc(0)), size: 0 }, new Memory());
    expect(fake.seen).toEqual([]);
  });

  test("of which there is more than all begins anew", async () => {
    const sink = begun(BLOB.size);
    sink.write(Buffer.from("more"));
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.resets).toBe(1);
    expect(sink.bytes.equals(BYTES)).toBe(true);
  });

  test("from a registry without ranges: what is there is skipped", async () => {
    fake.fault = (_, url) => (url.pathname.includes("blobs") ? new Response(BYTES) : undefined);
    const sink = begun(150_000);
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(sink.resets).toBe(0);
  });

  test("from a registry that refuses the range", async () => {
    fake.fault = (request) =>
      request.headers.has("range") ? new Response(null, { status: 416 }) : undefined;
    const sink = begun(10);
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
  });

  test("that is not there", async () => {
    const digest = digestOf(Buffer.from("other"));
    expect(await failure(fetchBlob(await open(), "a/b", { digest, size: 5 }, new Memory()))).toBe(
      `cannot pull blob of ${fake.domain}/a/b@${digest}: blob unknown: blob unknown to registry`,
    );
  });

  test("of another size than the manifest says", async () => {
    const sink = new Memory();
    const work = fetchBlob(await open(), "a/b", { ...BLOB, size: BLOB.size - 1 }, sink);
    expect(await failure(work)).toContain(`${BLOB.size} bytes from 0 on, not ${BLOB.size - 1}`);
    expect(sink.offset).toBe(0);
  });

  test("without an end: no more than its size is written", async () => {
    fake.fault = (_, url) =>
      url.pathname.includes("blobs")
        ? new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(70_000)) }))
        : undefined;
    const sink = new Memory();
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.offset).toBe(BLOB.size);
  });

  test("whose sink fails: at once, with its error", async () => {
    const sink: Sink = {
      offset: 0,
      write: () => {
        throw new Error("no space left");
      },
      reset: () => {},
    };
    expect(await failure(fetchBlob(await open(), "a/b", BLOB, sink))).toBe("no space left");
    expect(fake.paths("GET", "/v2/a")).toHaveLength(1);
  });
});

describe("faults on the way", () => {
  test("cuts and stalls: on from where they happened", async () => {
    const server = faulty((from, tries, socket) => {
      const head = from === 0 ? WHOLE : partial(from);
      const rest = BYTES.subarray(from);
      if (tries === 4) return send(socket, head, rest);
      // every second time the connection stays open, and nothing comes
      send(
        socket,
        head,
        rest.subarray(0, 50_000),
        () => tries % 2 === 1 && endAt(socket, sink, from + 50_000),
      );
    });
    const sink = new Memory();
    const registry = await openRegistry(server.domain, { ...machine.options, timing: IMPATIENT });
    await fetchBlob(registry, "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(server.ranges).toEqual(["", "50000", "100000", "150000"]);
    server.stop();
  });

  test("more cuts than tries, as long as each brings something", async () => {
    const server = faulty((from, _, socket) =>
      send(socket, from === 0 ? WHOLE : partial(from), BYTES.subarray(from, from + 30_000), () =>
        endAt(socket, sink, from + 30_000),
      ),
    );
    const sink = new Memory();
    await fetchBlob(await open(server.domain), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(server.ranges).toHaveLength(10);
    server.stop();
  });

  test("nothing new for a few times is an error that says so", async () => {
    const server = faulty((from, _, socket) => {
      const bytes = from === 0 ? BYTES.subarray(0, 10) : BYTES.subarray(0, 0);
      send(socket, from === 0 ? WHOLE : partial(from), bytes, () => endAt(socket, sink, from + bytes.length));
    });
    const sink = new Memory();
    const work = fetchBlob(await open(server.domain), "a/b", BLOB, sink);
    expect(await failure(work)).toBe(
      `cannot pull blob ${BLOB.digest} from registry ${server.domain}: the connection was cut (5 tries)`,
    );
    expect(sink.bytes.equals(BYTES.subarray(0, 10))).toBe(true);
    expect(server.ranges).toHaveLength(5);
    server.stop();
  });

  test("without ranges, always cut at the same byte: an end as well", async () => {
    const server = faulty((_, __, socket) =>
      send(socket, WHOLE, BYTES.subarray(0, 1000), () => endAt(socket, sink, 1000)),
    );
    const sink = new Memory();
    expect(await failure(fetchBlob(await open(server.domain), "a/b", BLOB, sink))).toContain("(5 tries)");
    expect(server.ranges).toHaveLength(5);
    server.stop();
  });

  test("another part than was asked for is not taken", async () => {
    const server = faulty((from, tries, socket) => {
      if (tries === 1) return send(socket, WHOLE, BYTES.subarray(0, 1000), () => endAt(socket, sink, 1000));
      send(socket, partial(from + 1), BYTES.subarray(from + 1));
    });
    const sink = new Memory();
    const work = fetchBlob(await open(server.domain), "a/b", BLOB, sink);
    expect(await failure(work)).toContain("gave something else than was asked for");
    expect(sink.offset).toBe(1000);
    server.stop();
  });

  test("an earlier part than was asked for is of use", async () => {
    const server = faulty((from, _, socket) => send(socket, partial(from - 100), BYTES.subarray(from - 100)));
    const sink = begun(1000);
    await fetchBlob(await open(server.domain), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    server.stop();
  });

  test("429 and 503 are waited for", async () => {
    let left = 2;
    fake.fault = (_, url) =>
      url.pathname.includes("blobs") && left-- > 0
        ? refused(left === 1 ? 429 : 503, "X", "later", { "retry-after": "0" })
        : undefined;
    const sink = new Memory();
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
  });

  test("the registry goes away and comes back", async () => {
    const server = faulty((_, __, socket) => {
      send(socket, WHOLE, BYTES.subarray(0, 20_000), () => {
        endAt(socket, sink, 20_000);
        server.close();
        setTimeout(() => {
          again = Bun.serve({
            hostname: "127.0.0.1",
            port: Number(server.domain.split(":")[1]),
            fetch: (request) => {
              const from = Number(/(\d+)/.exec(request.headers.get("range") ?? "")?.[1]);
              const headers = { "content-range": `bytes ${from}-${BLOB.size - 1}/${BLOB.size}` };
              return new Response(BYTES.subarray(from), { status: 206, headers });
            },
          });
        }, 30);
      });
    });
    const sink = new Memory();
    let again: Bun.Server<undefined> | undefined;
    const timing = { backoff: 40, stall: 500 };
    const registry = await openRegistry(server.domain, { ...machine.options, timing });
    await fetchBlob(registry, "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    again?.stop(true);
  });

  test("a slow reader is no stall", async () => {
    const registry = await openRegistry(fake.domain, {
      ...machine.options,
      timing: { stall: 50, attempts: 1 },
    });
    const sink = new Memory();
    await fetchBlob(registry, "a/b", BLOB, {
      get offset() {
        return sink.offset;
      },
      write: (piece) => {
        sink.write(piece);
        Bun.sleepSync(70);
      },
      reset: () => sink.reset(),
    });
    expect(sink.bytes.equals(BYTES)).toBe(true);
  });

  test("a signal ends it in the middle, its own as well as the registry's", async () => {
    const server = faulty((_, __, socket) => send(socket, WHOLE, BYTES.subarray(0, 1000)));
    for (const own of [true, false]) {
      const stop = new AbortController();
      const timing = { stall: 60_000 };
      const registry = await openRegistry(server.domain, {
        ...machine.options,
        timing,
        ...(!own && { signal: stop.signal }),
      });
      const work = fetchBlob(registry, "a/b", BLOB, new Memory(), {
        progress: () => stop.abort(new Error("enough")),
        ...(own && { signal: stop.signal }),
      });
      expect(await failure(work)).toBe("enough");
    }
    server.stop();
  });
});
