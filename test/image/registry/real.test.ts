/** Against Debian's docker-registry (distribution), started here on a free port of loopback. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { openRegistry, type Registry } from "../../../src/image/registry/client.ts";
import { fetchBlob } from "../../../src/image/registry/download.ts";
import { login, logout } from "../../../src/image/registry/login.ts";
import { type Authority, makeAuthority } from "./authority.ts";
import { digestOf, failure, Machine, Memory } from "./fake.ts";
import { answers, freePort } from "./loopback.ts";

const MISSING = ["docker-registry", "htpasswd", "openssl"].filter((name) => !Bun.which(name));
const OCI = "application/vnd.oci.image.manifest.v1+json";
const BYTES = randomBytes(8 << 20);
const BLOB = {
  digest: digestOf(BYTES),
  size: BYTES.length,
  async *open(offset: number) {
    for (let at = offset; at < BYTES.length; at += 100_000) yield BYTES.subarray(at, at + 100_000);
  },
};

interface Real {
  readonly port: number;
  stop(): Promise<void>;
}

/** A registry with its data in the folder; `http` and `more` are parts of its configuration. */
async function start(folder: string, http: object = {}, more: object = {}): Promise<Real> {
  const port = await freePort();
  mkdirSync(`${folder}/data`, { recursive: true });
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: `${folder}/data` }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, ...http },
    ...more,
  };
  // JSON is YAML
  writeFileSync(`${folder}/config.yml`, JSON.stringify(config));
  const child = Bun.spawn(["docker-registry", "serve", `${folder}/config.yml`], {
    stdout: "ignore",
    stderr: Bun.file(`${folder}/log`),
  });
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(await Bun.file(`${folder}/log`).text());
    await Bun.sleep(10);
  }
  return {
    port,
    stop: async () => {
      child.kill();
      await child.exited;
    },
  };
}

/** Passes connections on, and cuts each of the first `cuts` that carry much after so many bytes, whichever way they go. */
async function cutting(
  port: number,
  cuts: number,
  after: number,
): Promise<{ port: number; left(): number; stop(): void }> {
  let left = cuts;
  const server = createServer((client) => {
    const up = connect(port, "127.0.0.1");
    let passed = 0;
    const count = (bytes: Uint8Array): void => {
      passed += bytes.length;
      if (passed < after || left === 0) return;
      left--;
      client.destroy();
      up.destroy();
    };
    for (const [from, to] of [
      [client, up],
      [up, client],
    ] as const) {
      from.on("data", count);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { port: (server.address() as AddressInfo).port, left: () => left, stop: () => void server.close() };
}

/** Pushes an image of one blob, and pulls it again. */
async function roundTrip(registry: Registry, repository: string): Promise<void> {
  await registry.uploadBlob(repository, BLOB, []);
  const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: BLOB.digest, size: BLOB.size };
  const text = { schemaVersion: 2, mediaType: OCI, config: { ...layer }, layers: [layer] };
  const bytes = Buffer.from(JSON.stringify(text));
  expect(await registry.putManifest(repository, "latest", OCI, bytes)).toBe(digestOf(bytes));
  const got = await registry.manifest(repository, "latest");
  expect(got).toMatchObject({ mediaType: OCI, digest: digestOf(bytes) });
  expect((await registry.manifest(repository, got.digest)).bytes).toEqual(got.bytes);
  expect(await registry.hasManifest(repository, "latest")).toBe(got.digest);
  const sink = new Memory();
  await fetchBlob(registry, repository, BLOB, sink);
  expect(digestOf(sink.bytes)).toBe(BLOB.digest);
}

describe.skipIf(MISSING.length > 0)(
  `docker-registry${MISSING.length > 0 ? ` (missing: ${MISSING})` : ""}`,
  () => {
    let machine: Machine;
    let authority: Authority;
    beforeAll(() => {
      machine = new Machine();
      authority = makeAuthority(machine.folder);
    });
    afterAll(() => machine.remove());
    const folder = (name: string): string => {
      mkdirSync(`${machine.folder}/${name}`);
      return `${machine.folder}/${name}`;
    };

    describe("plain", () => {
      let real: Real;
      beforeAll(async () => {
        real = await start(folder("plain"));
      });
      afterAll(() => real.stop());
      const open = () => openRegistry(`127.0.0.1:${real.port}`, machine.options);

      test("an image there and back", async () => {
        const registry = await open();
        expect(await registry.hasBlob("a/b", BLOB.digest)).toBe(false);
        await roundTrip(registry, "a/b");
        expect(await registry.hasBlob("a/b", BLOB.digest)).toBe(true);
        expect(await registry.uploadBlob("a/b", BLOB, [])).toBe("exists");
      });

      test("a blob of another repository is mounted", async () => {
        const registry = await open();
        await registry.uploadBlob("from/here", BLOB, []);
        expect(await registry.uploadBlob("to/there", BLOB, ["not/this", "from/here"])).toBe("mounted");
        expect(await registry.hasBlob("to/there", BLOB.digest)).toBe(true);
      });

      test("what is not there", async () => {
        const registry = await open();
        expect(await failure(registry.manifest("a/b", "nope"))).toBe(
          `manifest for 127.0.0.1:${real.port}/a/b:nope not found: manifest unknown`,
        );
        expect(await failure(registry.manifest("never/pushed", "latest"))).toContain("not found: ");
        expect(await registry.hasManifest("never/pushed", "latest")).toBeUndefined();
      });

      test("an empty blob, and one of a byte", async () => {
        const registry = await open();
        for (const bytes of [Buffer.alloc(0), Buffer.from("x")]) {
          const blob = {
            digest: digestOf(bytes),
            size: bytes.length,
            async *open() {
              if (bytes.length > 0) yield bytes;
            },
          };
          expect(await registry.uploadBlob("small", blob, [])).toBe("uploaded");
          const sink = new Memory();
          await fetchBlob(registry, "small", blob, sink);
          expect(sink.bytes.equals(bytes)).toBe(true);
        }
      });

      test("a resumed pull", async () => {
        const registry = await open();
        await registry.uploadBlob("a/b", BLOB, []);
        const sink = new Memory();
        sink.bytes = Buffer.from(BYTES.subarray(0, 5_000_000));
        await fetchBlob(registry, "a/b", BLOB, sink);
        expect(digestOf(sink.bytes)).toBe(BLOB.digest);
      });

      test("a way that cuts the first connections after 3 MB: both ways it is tried until all is there", async () => {
        const way = await cutting(real.port, 4, 3_000_000);
        const registry = await openRegistry(`127.0.0.1:${way.port}`, machine.options);
        const opened: number[] = [];
        const blob = {
          ...BLOB,
          open: (offset: number) => {
            opened.push(offset);
            return BLOB.open(offset);
          },
        };
        expect(await registry.uploadBlob("cut/up", blob, [])).toBe("uploaded");
        expect(way.left()).toBeLessThan(4);
        // this registry keeps nothing of what is cut
        expect(opened.length).toBeGreaterThan(1);
        way.stop();
        const back = await cutting(real.port, 2, 3_000_000);
        const sink = new Memory();
        const again = await openRegistry(`127.0.0.1:${back.port}`, machine.options);
        await fetchBlob(again, "cut/up", BLOB, sink);
        expect(digestOf(sink.bytes)).toBe(BLOB.digest);
        expect(back.left()).toBe(0);
        back.stop();
      });
    });

    describe("with passwords", () => {
      let real: Real;
      let domain: string;
      beforeAll(async () => {
        const place = folder("basic");
        const made = Bun.spawnSync(["htpasswd", "-Bbn", "me", "right"]);
        writeFileSync(`${place}/htpasswd`, made.stdout);
        real = await start(place, {}, { auth: { htpasswd: { realm: "tests", path: `${place}/htpasswd` } } });
        domain = `127.0.0.1:${real.port}`;
      });
      afterAll(() => real.stop());

      test("nothing without a login; all with one; nothing after a logout", async () => {
        const before = await openRegistry(domain, machine.options);
        expect(await failure(before.manifest("a/b", "latest"))).toMatch(
          /^pull access denied for 127\.0\.0\.1:\d+\/a\/b, repository does not exist or may require login: unauthorized: authentication required.*'mydocker login 127\.0\.0\.1:\d+'$/,
        );
        expect(await failure(before.uploadBlob("a/b", BLOB, []))).toContain("push access denied");
        expect(await failure(login(domain, "me", "wrong", machine.options))).toContain(
          "unauthorized: incorrect username or password",
        );
        await login(domain, "me", "right", machine.options);
        await roundTrip(await openRegistry(domain, machine.options), "a/b");
        expect(await logout(domain, machine.options)).toBe(true);
        const after = await openRegistry(domain, machine.options);
        expect(await failure(after.hasBlob("a/b", BLOB.digest))).toContain("may require login");
      });
    });

    describe("by TLS", () => {
      let real: Real;
      let domain: string;
      beforeAll(async () => {
        const { folder: place } = machine;
        const tls = { certificate: `${place}/server.crt`, key: `${place}/server.key` };
        real = await start(folder("tls"), { tls });
        domain = `localhost:${real.port}`;
      });
      afterAll(() => real.stop());

      test("of a CA in certs.d", async () => {
        machine.write(`etc/docker/certs.d/${domain}/ca.crt`, authority.stranger.cert);
        const untrusted = await openRegistry(domain, machine.options);
        expect(await failure(untrusted.manifest("a/b", "latest"))).toContain(
          "its certificate is not trusted",
        );
        machine.write(`etc/docker/certs.d/${domain}/ca.crt`, authority.ca);
        await roundTrip(await openRegistry(domain, machine.options), "a/b");
      });
    });
  },
);
