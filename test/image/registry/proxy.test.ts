import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { openRegistry } from "../../../src/image/registry/client.ts";
import { proxyFor } from "../../../src/image/registry/proxy.ts";
import { failure, Machine } from "./fake.ts";

const P = "http://proxy:3128";

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine.remove());

describe("which proxy", () => {
  const direct = (url: string, list: string): boolean =>
    proxyFor(new URL(url), { HTTP_PROXY: P, HTTPS_PROXY: P, NO_PROXY: list }) === undefined;

  test("by the scheme, in large or small letters", () => {
    expect(proxyFor(new URL("http://a.b/"), { HTTP_PROXY: P })).toBe(P);
    expect(proxyFor(new URL("https://a.b/"), { HTTP_PROXY: P })).toBeUndefined();
    expect(proxyFor(new URL("https://a.b/"), { https_proxy: "proxy:3128" })).toBe(P);
    expect(proxyFor(new URL("https://a.b/"), {})).toBeUndefined();
    expect(proxyFor(new URL("https://a.b/"), { HTTPS_PROXY: "" })).toBeUndefined();
  });

  test("none that cannot be used", () => {
    for (const HTTPS_PROXY of ["socks5://x", "http://", "http://[x"])
      expect(() => proxyFor(new URL("https://a.b/"), { HTTPS_PROXY })).toThrow("cannot use HTTPS_PROXY");
  });

  test.each([
    ["https://example.com/", "example.com", true],
    ["https://sub.example.com/", "example.com", true],
    ["https://notexample.com/", "example.com", false],
    ["https://example.com/", ".example.com", false],
    ["https://sub.example.com/", ".example.com", true],
    ["https://sub.example.com/", "*.example.com", true],
    ["https://example.com/", "a, example.com ,b", true],
    ["https://example.com/", "*", true],
    ["https://example.com/", "", false],
    ["https://EXAMPLE.com/", "example.COM", true],
    ["https://example.com/", "example.com:443", true],
    ["https://example.com:5000/", "example.com:443", false],
    ["https://example.com:5000/", "example.com:5000", true],
    ["https://10.1.2.3/", "10.1.2.3", true],
    ["https://10.1.2.3/", "10.0.0.0/8", true],
    ["https://11.1.2.3/", "10.0.0.0/8", false],
    ["https://10.1.2.3/", "0.0.0.0/0", true],
    ["https://10.1.2.3/", "10.0.0.0/33", false],
    ["https://10.1.2.3/", "10.0.0.0/x", false],
    ["https://example.com/", "10.0.0.0/8", false],
    ["https://110.1.2.3/", "10.1.2.3", false],
    ["https://[2001:db8::1]/", "2001:db8::/32", true],
    ["https://[2001:db9::1]/", "2001:db8::/32", false],
    ["https://[2001:db8::1]/", "2001:db8::1", true],
    ["https://[2001:db8::1]:5000/", "[2001:db8::1]:5000", true],
    ["https://[::ffff:10.1.2.3]/", "::ffff:10.0.0.0/104", true],
  ])("%s with NO_PROXY=%s: directly %p", (url, list, expected) => {
    expect(direct(url, list)).toBe(expected);
  });

  test("this machine is always asked directly", () => {
    for (const host of ["localhost", "127.0.0.1", "127.9.9.9:5000", "[::1]:5000"])
      expect(direct(`http://${host}/`, "")).toBe(true);
  });
});

test("a proxy is asked, with its own password; one that refuses is told", async () => {
  const heads: string[] = [];
  const server = createServer((client) => {
    client.on("error", () => {});
    client.once("data", (bytes) => {
      heads.push(bytes.toString());
      client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  machine.env.HTTPS_PROXY = `http://me:secret@127.0.0.1:${port}`;
  const registry = await openRegistry("registry.invalid", machine.options);
  expect(await failure(registry.manifest("a/b", "t"))).toBe(
    `cannot reach registry registry.invalid: Proxy refused to open a tunnel: 403 Forbidden (through the proxy 127.0.0.1:${port})`,
  );
  expect(heads[0]).toStartWith("CONNECT registry.invalid:443 HTTP/1.1");
  expect(heads[0]).toContain(`Proxy-Authorization: Basic ${btoa("me:secret")}`);
  server.close();
});

test("the environment's proxy is not asked where NO_PROXY says so", async () => {
  const kept = { proxy: process.env.HTTPS_PROXY, none: process.env.NO_PROXY };
  // Bun itself would read these
  process.env.HTTPS_PROXY = "http://127.0.0.1:1";
  process.env.NO_PROXY = "";
  try {
    machine.env.NO_PROXY = "registry.invalid";
    machine.env.HTTPS_PROXY = "http://127.0.0.1:1";
    const registry = await openRegistry("registry.invalid", machine.options);
    expect(await failure(registry.manifest("a/b", "t"))).toMatch(/no such host|cannot be resolved/);
    machine.env.NO_PROXY = "";
    const other = await openRegistry("registry.invalid", machine.options);
    expect(await failure(other.manifest("a/b", "t"))).toContain("connection refused");
  } finally {
    restore("HTTPS_PROXY", kept.proxy);
    restore("NO_PROXY", kept.none);
  }
});

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
