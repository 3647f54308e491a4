import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { fetchBlob } from "../../../src/image/registry/download.ts";
import {
  digestOf,
  type Fake,
  failure,
  fakeRegistry,
  IMPATIENT,
  Machine,
  Memory,
  rawServer,
  refused,
} from "./fake.ts";

const BYTES = randomBytes(100_000);
const BLOB = { digest: digestOf(BYTES), size: BYTES.length };
const MANIFEST = { type: "application/vnd.oci.image.manifest.v1+json", bytes: Buffer.from("{}") };

let machine: Machine;
let own: Fake;
let mirror: Fake;
beforeEach(() => {
  machine = new Machine();
  own = fakeRegistry();
  mirror = fakeRegistry();
  own.blobs.set(BLOB.digest, BYTES);
  own.manifests.set("a/b:latest", MANIFEST);
  mirrors(`${mirror.domain}/proxy`);
});
afterEach(() => {
  own.stop();
  mirror.stop();
  machine.remove();
});

function mirrors(...locations: string[]): void {
  const tables = locations.map((location) => `[[registry.mirror]]\nlocation = "${location}"\n`);
  machine.write(
    "etc/containers/registries.conf",
    `[[registry]]\nlocation = "${own.domain}"\n${tables.join("")}`,
  );
}
const open = () => openRegistry(own.domain, machine.options);

test("what a mirror has comes from there", async () => {
  mirror.blobs.set(BLOB.digest, BYTES);
  mirror.manifests.set("proxy/a/b:latest", MANIFEST);
  const registry = await open();
  const sink = new Memory();
  await registry.manifest("a/b", "latest");
  await fetchBlob(registry, "a/b", BLOB, sink);
  expect(sink.bytes.equals(BYTES)).toBe(true);
  expect(mirror.paths("GET", "/v2/proxy/a/b/")).toHaveLength(2);
  expect(own.seen).toEqual([]);
});

test("what it has not comes from the registry", async () => {
  const registry = await open();
  const sink = new Memory();
  await registry.manifest("a/b", "latest");
  await fetchBlob(registry, "a/b", BLOB, sink);
  expect(sink.bytes.equals(BYTES)).toBe(true);
  expect(own.paths("GET", "/v2/a/b/")).toHaveLength(2);
});

test("wrong bytes, a wrong size or a refusal of a mirror do no harm", async () => {
  const registry = await open();
  mirror.fault = (_, url) =>
    url.pathname === "/v2/"
      ? undefined
      : new Response("{ }", { headers: { "docker-content-digest": BLOB.digest } });
  expect(Buffer.from((await registry.manifest("a/b", "latest")).bytes)).toEqual(MANIFEST.bytes);
  const sink = new Memory();
  await fetchBlob(registry, "a/b", BLOB, sink);
  expect(sink.bytes.equals(BYTES)).toBe(true);
  mirror.fault = () => refused(403, "DENIED", "no");
  expect((await (await open()).manifest("a/b", "latest")).digest).toBe(digestOf(MANIFEST.bytes));
});

test("a mirror that cuts is left after two times, and what it brought is kept", async () => {
  let tries = 0;
  const sink = new Memory();
  const raw = rawServer((head, socket) => {
    tries++;
    const from = Number(/range: bytes=(\d+)-/i.exec(head)?.[1] ?? 0);
    const range = `Content-Range: bytes ${from}-${BLOB.size - 1}/${BLOB.size}`;
    socket.write(`HTTP/1.1 206 X\r\n${range}\r\nContent-Length: ${BLOB.size - from}\r\n\r\n`);
    socket.write(BYTES.subarray(from, from + 1000));
    // the connection stays, and nothing more comes
  });
  mirrors(raw.domain);
  const registry = await openRegistry(own.domain, { ...machine.options, timing: IMPATIENT });
  await fetchBlob(registry, "a/b", BLOB, sink);
  expect(sink.bytes.equals(BYTES)).toBe(true);
  expect(tries).toBe(2);
  expect(own.seen.at(-1)?.headers.get("range")).toBe("bytes=2000-");
  raw.stop();
});

test("a mirror whose bytes were wrong is asked no more", async () => {
  mirror.blobs.set(BLOB.digest, randomBytes(BLOB.size));
  const registry = await open();
  const sink = new Memory();
  await fetchBlob(registry, "a/b", BLOB, sink);
  expect(sink.bytes.equals(BYTES)).toBe(false);
  expect(registry.distrust(BLOB.digest)).toBe(true);
  sink.reset();
  await fetchBlob(registry, "a/b", BLOB, sink);
  expect(sink.bytes.equals(BYTES)).toBe(true);
  expect(registry.distrust(BLOB.digest)).toBe(false);
  expect(registry.distrust("never asked for")).toBe(false);
});

test("mirrors that are not there are told of only when all fails", async () => {
  mirrors("127.0.0.1:1", `${mirror.domain}/proxy`);
  const registry = await open();
  expect((await registry.manifest("a/b", "latest")).digest).toBe(digestOf(MANIFEST.bytes));
  expect(await failure(registry.manifest("a/b", "nope"))).toBe(
    `manifest for ${own.domain}/a/b:nope not found: manifest unknown (mirror 127.0.0.1:1: cannot reach registry 127.0.0.1:1: connection refused; mirror ${mirror.domain}: manifest for ${own.domain}/a/b:nope not found: manifest unknown)`,
  );
});

test("what is pushed goes to the registry alone", async () => {
  const registry = await open();
  mirror.blobs.set(BLOB.digest, BYTES);
  own.blobs.clear();
  const blob = {
    ...BLOB,
    async *open() {
      yield BYTES;
    },
  };
  expect(await registry.hasBlob("a/b", BLOB.digest)).toBe(false);
  expect(await registry.uploadBlob("a/b", blob, [])).toBe("uploaded");
  await registry.putManifest("a/b", "new", MANIFEST.type, MANIFEST.bytes);
  expect(own.manifests.has("a/b:new")).toBe(true);
  expect(mirror.seen).toEqual([]);
});

test("credentials are those of each host", async () => {
  const wants = (fake: Fake) => (request: Request) =>
    request.headers.has("authorization")
      ? undefined
      : refused(401, "UNAUTHORIZED", "who", { "www-authenticate": `Basic realm="${fake.domain}"` });
  own.fault = wants(own);
  mirror.fault = wants(mirror);
  const auth = (text: string) => ({ auth: btoa(text) });
  const auths = { [own.domain]: auth("me:own"), [mirror.domain]: auth("me:mirror") };
  machine.write("home/.docker/config.json", JSON.stringify({ auths }));
  await (await open()).manifest("a/b", "latest");
  const used = (fake: Fake) => new Set(fake.seen.map(({ authorization }) => authorization).filter(Boolean));
  expect(used(own)).toEqual(new Set([`Basic ${btoa("me:own")}`]));
  expect(used(mirror)).toEqual(new Set([`Basic ${btoa("me:mirror")}`]));
});

test("another registry in the place of one", async () => {
  machine.write(
    "etc/containers/registries.conf",
    `[[registry]]\nprefix = "docker.io"\nlocation = "${own.domain}"\n`,
  );
  const registry = await openRegistry("docker.io", machine.options);
  expect((await registry.manifest("a/b", "latest")).digest).toBe(digestOf(MANIFEST.bytes));
  expect(await failure(registry.manifest("a/b", "nope"))).toBe(
    "manifest for a/b:nope not found: manifest unknown",
  );
  expect(own.seen.length).toBeGreaterThan(0);
});
