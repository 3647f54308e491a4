import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { fetchBlob } from "../../../src/image/registry/download.ts";
import { type Fake, failure, fakeRegistry, Machine, Memory, refused } from "./fake.ts";
import { BLOB, BYTES, endAt, faulty, partial, send, WHOLE } from "./faulty.ts";

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

describe("redirects", () => {
  test("to a storage elsewhere: no Authorization goes there, and a resumed one asks the registry again", async () => {
    machine.auth(fake.domain, "u:p");
    const storage = faulty((from, tries, socket) => {
      if (tries === 1) return send(socket, WHOLE, BYTES.subarray(0, 1000), () => endAt(socket, sink, 1000));
      send(socket, partial(from), BYTES.subarray(from));
    });
    fake.fault = (request, url) => {
      if (request.headers.get("authorization") === null)
        return refused(401, "UNAUTHORIZED", "who", { "www-authenticate": 'Basic realm="x"' });
      if (!url.pathname.includes("blobs")) return undefined;
      return Response.redirect(`http://${storage.domain}/bucket?signature=${fake.seen.length}`, 307);
    };
    const sink = new Memory();
    await fetchBlob(await open(), "a/b", BLOB, sink);
    expect(sink.bytes.equals(BYTES)).toBe(true);
    expect(storage.ranges).toEqual(["", "1000"]);
    expect(storage.heads.join("\n")).not.toMatch(/authorization/i);
    expect(fake.seen.at(-1)?.authorization).toStartWith("Basic ");
    storage.stop();
  });

  test("headers that tell who we are stay with the registry", async () => {
    machine.write("home/.docker/config.json", JSON.stringify({ HttpHeaders: { "X-Mine": "secret" } }));
    machine.env.DOCKER_CONFIG = `${machine.folder}/home/.docker`;
    const other = fakeRegistry();
    other.blobs.set(BLOB.digest, BYTES);
    fake.fault = (_, url) => Response.redirect(`http://${other.domain}${url.pathname}`, 302);
    await fetchBlob(await open(), "a/b", BLOB, new Memory());
    expect(fake.seen.at(-1)?.headers.get("x-mine")).toBe("secret");
    expect(other.seen.at(-1)?.headers.has("x-mine")).toBe(false);
    other.stop();
  });

  test("a storage may not ask who we are", async () => {
    machine.auth(fake.domain, "u:p");
    const other = fakeRegistry();
    other.fault = () => refused(401, "UNAUTHORIZED", "who", { "www-authenticate": 'Basic realm="x"' });
    fake.fault = (_, url) =>
      url.pathname === "/v2/" ? undefined : Response.redirect(`http://${other.domain}${url.pathname}`, 307);
    expect(await failure(fetchBlob(await open(), "a/b", BLOB, new Memory()))).toContain("pull access denied");
    expect(other.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
    other.stop();
  });

  test("in a circle, or to what is not http", async () => {
    fake.fault = (_, url) => (url.pathname === "/v2/" ? undefined : Response.redirect(url.href, 307));
    expect(await failure(fetchBlob(await open(), "a/b", BLOB, new Memory()))).toContain("more than 10 times");
    expect(fake.paths("GET", "/v2/a")).toHaveLength(11);
    fake.fault = (_, url) =>
      url.pathname === "/v2/"
        ? undefined
        : new Response(null, { status: 307, headers: { location: "file:///etc/passwd" } });
    expect(await failure(fetchBlob(await open(), "a/b", BLOB, new Memory()))).toContain("what is not http");
  });
});
