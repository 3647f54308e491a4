import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { certificatesFor } from "../../../src/image/registry/certificates.ts";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { surroundings } from "../../../src/image/registry/surroundings.ts";
import { type Authority, makeAuthority } from "./authority.ts";
import { digestOf, type Fake, failure, fakeRegistry, Machine, refused } from "./fake.ts";

const DIGEST = digestOf(Buffer.from("x"));
const HAS_OPENSSL = Bun.which("openssl") !== null;

describe("certs.d", () => {
  const PEM = (name: string): string => `-----BEGIN CERTIFICATE-----\n${name}\n`;
  let machine: Machine;
  beforeEach(() => {
    machine = new Machine();
  });
  afterEach(() => machine.remove());
  const read = () => certificatesFor("a:5000", surroundings(machine.options));

  test("nothing for a host that has no folder", () => {
    machine.write("etc/docker/certs.d/b:5000/ca.crt", PEM("b"));
    expect(read()).toEqual({ ca: [] });
  });

  test("CAs and a client's pair; the first folder that is there counts", () => {
    machine.write("etc/docker/certs.d/a:5000/one.crt", PEM("one"));
    machine.write("etc/docker/certs.d/a:5000/two.crt", PEM("two"));
    machine.write("etc/docker/certs.d/a:5000/client.cert", PEM("cert"));
    machine.write("etc/docker/certs.d/a:5000/client.key", PEM("key"));
    machine.write("etc/docker/certs.d/a:5000/README", "");
    expect(read()).toEqual({ ca: [PEM("one"), PEM("two")], client: { cert: PEM("cert"), key: PEM("key") } });
    machine.write("etc/containers/certs.d/a:5000/ca.crt", PEM("containers"));
    expect(read()).toEqual({ ca: [PEM("containers")] });
    machine.write("home/.config/containers/certs.d/a:5000/ca.crt", PEM("user"));
    expect(read()).toEqual({ ca: [PEM("user")] });
  });

  test("half a pair, two of them, what is no certificate", () => {
    const folder = "etc/docker/certs.d/a:5000";
    machine.write(`${folder}/client.cert`, PEM("cert"));
    expect(read).toThrow("client.key must lie beside it");
    machine.write(`${folder}/client.key`, PEM("key"));
    machine.write(`${folder}/other.key`, PEM("key"));
    expect(read).toThrow("other.cert must lie beside it");
    machine.write(`${folder}/other.cert`, PEM("cert"));
    expect(read).toThrow("several client certificates");
    machine.write("etc/containers/certs.d/a:5000/ca.crt", "nothing");
    expect(read).toThrow("ca.crt: it is no certificate or key (PEM)");
  });
});

describe.skipIf(!HAS_OPENSSL)("TLS (needs openssl)", () => {
  let authority: Authority;
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync("/var/tmp/registry-tls-");
    authority = makeAuthority(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  let machine: Machine;
  let fake: Fake | undefined;
  beforeEach(() => {
    machine = new Machine();
  });
  afterEach(() => {
    fake?.stop();
    fake = undefined;
    machine.remove();
  });

  /** A registry by TLS; its CA is in certs.d where `known`. */
  function start(pair: { cert: string; key: string }, known: boolean, more: Bun.TLSOptions = {}): Fake {
    fake = fakeRegistry({ tls: { ...pair, ...more } });
    fake.blobs.set(DIGEST, Buffer.from("x"));
    if (known) machine.write(`etc/docker/certs.d/${fake.domain}/ca.crt`, authority.ca);
    return fake;
  }
  const ask = async (domain: string) => (await openRegistry(domain, machine.options)).hasBlob("a/b", DIGEST);

  test("by a CA of certs.d", async () => {
    const { domain } = start(authority.server, true);
    expect(await ask(domain)).toBe(true);
  });

  test("by a CA of the system's, or of $SSL_CERT_FILE", async () => {
    const { domain } = start(authority.server, false);
    // a CA that does not count makes loopback a host like any other
    machine.write(`etc/docker/certs.d/${domain}/ca.crt`, authority.stranger.cert);
    expect(await failure(ask(domain))).toBe(
      `cannot reach registry ${domain}: its certificate is not trusted: put the certificate of its CA in /etc/docker/certs.d/${domain}/ca.crt`,
    );
    machine.write("etc/ssl/certs/ca-certificates.crt", authority.ca);
    expect(await ask(domain)).toBe(true);
    machine.write("etc/ssl/certs/ca-certificates.crt", authority.stranger.cert);
    machine.env.SSL_CERT_FILE = `${folder}/ca.crt`;
    expect(await ask(domain)).toBe(true);
  });

  test("for another name, or too old", async () => {
    const other = start(authority.stranger, true);
    expect(await failure(ask(other.domain))).toEndWith("its certificate is for another name");
    other.stop();
    expect(await failure(ask(start(authority.old, true).domain))).toEndWith("its certificate has expired");
  });

  test("loopback needs no CA, and an insecure registry none either", async () => {
    const { domain } = start(authority.stranger, false);
    expect(await ask(domain)).toBe(true);
    machine.write(`etc/docker/certs.d/${domain}/ca.crt`, authority.ca);
    expect(await failure(ask(domain))).toContain("another name");
    const registry = await openRegistry(domain, { ...machine.options, insecure: true });
    expect(await registry.hasBlob("a/b", DIGEST)).toBe(true);
    machine.write(
      "etc/containers/registries.conf",
      `[[registry]]\nlocation = "${domain}"\ninsecure = true\n`,
    );
    expect(await ask(domain)).toBe(true);
  });

  test("a loopback registry with a CA is not asked without TLS", async () => {
    const plain = fakeRegistry();
    machine.write(`etc/docker/certs.d/${plain.domain}/ca.crt`, authority.ca);
    expect(await failure(ask(plain.domain))).toContain("the TLS handshake failed");
    expect(plain.seen).toEqual([]);
    plain.stop();
  });

  test("a client's certificate", async () => {
    const { domain } = start(authority.server, true, {
      ca: authority.ca,
      requestCert: true,
      rejectUnauthorized: true,
    });
    expect(await failure(ask(domain))).toContain("or want a client certificate");
    machine.write(`etc/docker/certs.d/${domain}/client.cert`, authority.client.cert);
    machine.write(`etc/docker/certs.d/${domain}/client.key`, authority.client.key);
    expect(await ask(domain)).toBe(true);
  });

  test("the registry's CA holds for its storage too", async () => {
    const storage = fakeRegistry({ tls: authority.server });
    storage.blobs.set(DIGEST, Buffer.from("x"));
    const { domain } = start(authority.server, true);
    if (fake) fake.fault = (_, url) => Response.redirect(`https://${storage.domain}${url.pathname}`, 307);
    expect(await ask(domain)).toBe(true);
    expect(storage.seen).toHaveLength(1);
    storage.stop();
  });

  test("no redirect from https to http but for what a digest verifies, and no password or token goes there", async () => {
    const plain = fakeRegistry();
    plain.blobs.set(DIGEST, Buffer.from("x"));
    const registry = start(authority.server, true);
    machine.auth(registry.domain, "me:secret");
    const wants = () => refused(401, "X", "who", { "www-authenticate": 'Basic realm="x"' });
    registry.fault = (request, url) =>
      request.headers.has("authorization")
        ? Response.redirect(`http://${plain.domain}${url.pathname}`, 307)
        : wants();
    const client = await openRegistry(registry.domain, machine.options);
    expect(await failure(client.manifest("a/b", "latest"))).toContain("redirects from https to plain http");
    expect(plain.seen).toEqual([]);
    const source = await client.openBlob("a/b", { digest: DIGEST, size: 1 }, 0);
    expect(await Array.fromAsync(source.pieces, (piece) => piece.length)).toEqual([1]);
    expect(plain.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
    plain.stop();
  });

  test("a token server without TLS is not asked", async () => {
    const plain = fakeRegistry();
    const registry = start(authority.server, true);
    machine.auth(registry.domain, "me:secret");
    const headers = { "www-authenticate": `Bearer realm="http://${plain.domain}/token"` };
    registry.fault = () => refused(401, "X", "who", headers);
    expect(await failure(ask(registry.domain))).toContain("is to be asked without https");
    expect(plain.seen).toEqual([]);
    plain.stop();
  });

  test("an upload's address with http instead of https is taken as the registry's own", async () => {
    const registry = start(authority.server, true);
    const bytes = Buffer.from("more");
    registry.fault = (request, url) => {
      if (request.method !== "POST") return undefined;
      const location = `http://localhost/v2/a/b/blobs/uploads/x`;
      return url.pathname.endsWith("/uploads/")
        ? new Response(null, { status: 202, headers: { location } })
        : undefined;
    };
    const client = await openRegistry(registry.domain, machine.options);
    const blob = {
      digest: digestOf(bytes),
      size: bytes.length,
      async *open() {
        yield bytes;
      },
    };
    // the fake knows no such session: what counts is who was asked
    expect(await failure(client.uploadBlob("a/b", blob, []))).toContain("blob upload unknown");
    expect(registry.paths("PUT", "/v2/a/b/blobs/uploads/x")).not.toEqual([]);
    registry.fault = (request) => {
      const location = "http://elsewhere.example/upload";
      return request.method === "POST"
        ? new Response(null, { status: 202, headers: { location } })
        : undefined;
    };
    expect(await failure(client.uploadBlob("a/b", blob, []))).toContain("wants the upload without https");
  });
});
