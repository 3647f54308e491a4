/** Pushes over a way that cuts and refuses. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { fails, ok, scratch, start, suite, until } from "./harness.ts";
import { baseTar, fileTar, layoutOf, makeImage } from "./made-images.ts";
import {
  describeWithRegistry,
  type Fault,
  type Registry,
  startProxy,
  startRegistry,
  type Way,
} from "./registry.ts";

suite();

const MB = 1 << 20;

describeWithRegistry("a push over a bad way", () => {
  let registry: Registry;
  let proxy: Way;
  beforeAll(async () => {
    registry = await startRegistry(scratch(), "plain");
    proxy = await startProxy(registry);
  });
  afterAll(async () => {
    proxy.stop();
    await registry.stop();
  });
  afterEach(async () => {
    proxy.fault = undefined;
    proxy.passed.length = 0;
    await ok("image", "prune", "-af");
  });

  /** An image of that name that no registry has. */
  async function make(repository: string): Promise<string> {
    const name = `${proxy.domain}/${repository}`;
    const layers = [await baseTar(), await fileTar("data", randomBytes(3 * MB))];
    await ok("load", "-q", "-i", layoutOf({ [name]: makeImage(layers) }));
    return name;
  }

  async function runs(name: string): Promise<void> {
    await ok("rmi", name);
    expect(await ok("run", "-q", "--rm", name, "sh", "-c", "wc -c </data")).toBe(String(3 * MB));
  }

  test("what is refused for a moment or cut is sent again, each kind of request", async () => {
    const name = await make("refused/often");
    const seen = new Map<string, number>();
    proxy.fault = ({ method, path }): Fault | undefined => {
      const kind = `${method} ${path.includes("/manifests/") ? "manifest" : "blob"}`;
      const count = seen.get(kind) ?? 0;
      seen.set(kind, count + 1);
      const faults: Fault[] = [{ status: 500 }, { status: 429, headers: { "Retry-After": "0" } }];
      if (kind === "PATCH blob") faults.push({ sever: MB });
      return faults[count];
    };
    await ok("push", "-q", name);
    // two blobs and the configuration, and each fault once more
    for (const kind of ["HEAD blob", "POST blob", "PUT blob"])
      expect(seen.get(kind)).toBeGreaterThanOrEqual(5);
    expect(seen.get("PATCH blob")).toBeGreaterThanOrEqual(4);
    expect(seen.get("PUT manifest")).toBe(3);
    proxy.fault = undefined;
    await runs(name);
  });

  test("a refusal for good is one line", async () => {
    const name = await make("denied");
    const body = JSON.stringify({ errors: [{ code: "DENIED", message: "no room" }] });
    proxy.fault = ({ method }) => (method === "POST" ? { status: 403, body } : undefined);
    await fails(125, /no room/, "push", "-q", name);
    proxy.fault = ({ method }) => (method === "PUT" ? { status: 503 } : undefined);
    await fails(125, /503|unavailable/i, "push", "-q", name);
  });

  test("Ctrl-C: 130 at once; the next push is whole", async () => {
    const name = await make("broken-off");
    proxy.fault = ({ method }) => (["PATCH", "PUT"].includes(method) ? { hold: true } : undefined);
    const push = start(["push", name]);
    await until(
      () => proxy.passed.some(({ method }) => method === "PATCH" || method === "PUT"),
      "the upload",
    );
    const begun = Date.now();
    push.kill("SIGINT");
    expect(await push.exited).toBe(130);
    expect(Date.now() - begun).toBeLessThan(1000);
    proxy.fault = undefined;
    await ok("push", "-q", name);
    await runs(name);
  });
});
