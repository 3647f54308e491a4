/** Networks between containers and the host, and the registries that images come from. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { background, linksNow, mydocker, ok, scratch, suite, testWhere, until } from "../e2e/harness.ts";
import { withNetwork } from "../e2e/networks.ts";
import { HERE, NFT, NO_NFT, Outside, THERE } from "../e2e/outside.ts";
import { bytesOf, imageOf, manifestOf } from "../image/image-support.ts";
import { layerWith } from "./images.ts";
import { says, some } from "./probes.ts";

suite();

const outside = new Outside();
/** An address of the host's that is not loopback, and that containers know the way to. */
const ELSEWHERE = "203.0.113.77";
beforeAll(() => void Bun.spawnSync(["ip", "addr", "add", `${ELSEWHERE}/32`, "dev", "lo"]));
afterAll(() => void Bun.spawnSync(["ip", "addr", "del", `${ELSEWHERE}/32`, "dev", "lo"]));

const bridgeOf = async (network: string): Promise<string> =>
  (await ok("network", "inspect", "-f", '{{index .Options "com.docker.network.bridge.name"}}', network)) ||
  `br-${(await ok("network", "inspect", "-f", "{{.Id}}", network)).slice(0, 12)}`;
const setting = (link: string, name: string): string => {
  const path = `/proc/sys/net/ipv6/conf/${link}/${name}`;
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "no IPv6";
};

describe("between containers and the host", () => {
  test("CVE-2020-15257: no socket of the engine's has a name that a container in the host's network can call", async () => {
    const names = (text: string): string[] =>
      [...text.matchAll(/ (@\S*)$/gm)].map(([, name = ""]) => name).sort();
    const before = names(readFileSync("/proc/net/unix", "utf8"));
    const { name } = await background("--network", "host", "busybox", "sleep", "1000");
    const child = Bun.spawn(["sleep", "1"]);
    expect(names(await ok("exec", name, "cat", "/proc/net/unix"))).toEqual(before);
    child.kill();
    // that look finds one that is there: a listener of Bun's own, by an abstract name
    const server = Bun.listen({ unix: "\0of-the-host", socket: { data: () => {} } });
    expect(names(await ok("exec", name, "cat", "/proc/net/unix"))).toContain("@of-the-host");
    server.stop(true);
  });

  test("CVE-2020-13401, CVE-2020-10749: a router that a container says it is becomes none of the host's", async () => {
    await withNetwork(async (network) => {
      const { name } = await background("--network", network, "busybox", "sleep", "1000");
      const bridge = await bridgeOf(network);
      expect(linksNow()).toContain(bridge);
      // what a link has by itself, and what the host's links of ours have
      Bun.spawnSync(["ip", "link", "add", "mdplain0", "type", "dummy"]);
      const plain = [setting("mdplain0", "accept_ra"), setting("mdplain0", "disable_ipv6")];
      Bun.spawnSync(["ip", "link", "del", "mdplain0"]);
      const deaf = (link: string): boolean =>
        ["0", "no IPv6"].includes(setting(link, "accept_ra")) || setting(link, "disable_ipv6") === "1";
      expect(plain).toContainEqual(expect.stringMatching(/^(1|no IPv6)$/));
      expect({ bridge, deaf: deaf(bridge) }).toEqual({ bridge, deaf: true });
      expect(await ok("exec", name, "sh", "-c", "ip -6 route | grep default; true")).toBe("");
    });
  });

  test("CVE-2024-32473: a network of IPv4 has no IPv6, not even link-local", async () => {
    await withNetwork(async (network) => {
      const look = "cat /proc/net/if_inet6 2>/dev/null | grep -v ' lo$'; true";
      expect(await ok("run", "--rm", "--network", network, "busybox", "sh", "-c", look)).toBe("");
      const bridge = await bridgeOf(network);
      const { name } = await background("--network", network, "busybox", "sleep", "1000");
      expect(readFileSync("/proc/net/if_inet6", "utf8")).not.toContain(bridge);
      await ok("rm", "-f", name);
    });
    if (!existsSync("/proc/net/if_inet6")) return;
    await withNetwork(async (network) => {
      expect(await ok("run", "--rm", "--network", network, "busybox", "cat", "/proc/net/if_inet6")).toContain(
        "eth0",
      );
    }, "--ipv6");
  });

  test("CVE-2024-29018: an internal network lets nothing out, questions for names among it", async () => {
    const server = Bun.serve({ hostname: ELSEWHERE, port: 0, fetch: () => new Response("the host's") });
    let asked = 0;
    const names = await Bun.udpSocket({
      hostname: ELSEWHERE,
      port: 53,
      socket: {
        data: () => {
          asked++;
        },
      },
    });
    const line = `timeout 2 wget -qO- http://${ELSEWHERE}:${server.port}/; timeout 1 nslookup secret.example > /dev/null 2>&1; true`;
    const options = ["--dns", ELSEWHERE, "busybox", "sh", "-c", line];
    await withNetwork(async (network) => {
      expect(await ok("run", "--rm", "--network", network, ...options)).toBe("");
      expect(asked).toBe(0);
      expect(
        await ok("run", "--rm", "--network", network, "busybox", "sh", "-c", "ip route | grep default; true"),
      ).toBe("");
    }, "--internal");
    await withNetwork(async (network) => {
      expect(await ok("run", "--rm", "--network", network, ...options)).toBe("the host's");
      await until(() => asked > 0, "the question");
    });
    server.stop(true);
    names.close();
  });

  testWhere(
    NFT,
    NO_NFT,
    "CVE-2021-20199: who comes in by a published port is not taken for the host itself",
    async () => {
      const port = 18_080;
      const server = ["busybox", "httpd", "-f", "-vv", "-p", "80", "-h", "/etc"];
      const { name } = await background("-p", `${port}:80`, ...server);
      await until(() => outside.fetch(`http://${HERE.address}:${port}/hostname`), "an answer");
      const { stderr } = await mydocker(["logs", name]);
      expect(stderr).toContain(THERE.address);
      expect(stderr).not.toContain("127.0.0.1");
    },
  );

  test("CVE-2020-8558: a service of the host's loopback is not reached by a container", async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("the host's") });
    const gateway = "$(ip route | awk '/default/ { print $3 }')";
    const line = `ip addr add 127.0.0.9/8 dev eth0 2>/dev/null; ip route replace 127.0.0.1 via ${gateway} 2>/dev/null; for a in 127.0.0.1 ${gateway}; do timeout 2 wget -qO- http://$a:${server.port}/; done; true`;
    for (const options of [[], ["--cap-add", "NET_ADMIN"]])
      expect(await ok("run", "--rm", ...options, "busybox", "sh", "-c", line)).toBe("");
    expect(
      await ok(
        "run",
        "--rm",
        "--network",
        "host",
        "busybox",
        "wget",
        "-qO-",
        `http://127.0.0.1:${server.port}/`,
      ),
    ).toBe("the host's");
    server.stop(true);
  });

  test("CVE-2021-20206, CVE-2024-9407: what would become more than one line, word, or option, is refused", async () => {
    const evil = "a\n127.0.0.1 registry.example";
    await withNetwork(async (network) => {
      for (const args of some([
        ["--network-alias", evil],
        ["--add-host", `${evil}:1.2.3.4`],
        ["--add-host", "a:1.2.3.4\n5.6.7.8 b"],
        ["-h", evil],
        ["--dns", `1.1.1.1\nnameserver ${ELSEWHERE}`],
        ["--dns-search", evil],
        ["--dns-option", evil],
        ["-v", `${scratch()}:/x:ro,shared,bind,exec\n/etc /y`],
        ["-v", `${scratch()}:/x:z,idmap=/etc`],
      ])) {
        const { code } = await mydocker(["run", "--rm", "--network", network, ...args, "busybox", "true"]);
        expect({ args, code }).toEqual({ args, code: 125 });
      }
    });
    for (const name of some(["../x", "/etc", "a/b", "-x", "", "a\nb"]))
      expect({ name, code: (await mydocker(["network", "create", "--", name])).code }).not.toEqual({
        name,
        code: 0,
      });
    expect(await says("cat /etc/hosts")).not.toContain("registry.example");
  });
});

/** A registry that gives what it is told to, and remembers what it was asked. */
function registry(hostname: string, answer: (request: Request) => Response | undefined) {
  const seen: Request[] = [];
  const server = Bun.serve({
    hostname,
    port: 0,
    fetch: (request) => {
      seen.push(request.clone() as Request);
      return (
        answer(request) ??
        new Response("{}", { status: new URL(request.url).pathname === "/v2/" ? 200 : 404 })
      );
    },
  });
  return { seen, domain: `${hostname}:${server.port}`, stop: () => void server.stop(true) };
}

const digest = (bytes: Uint8Array): string =>
  `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;

describe("registries", () => {
  const layer = layerWith();
  const config = bytesOf(imageOf(layer).config);
  const asked = { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } };
  const basic = `Basic ${Buffer.from("me:hunter2").toString("base64")}`;
  /** Credentials of one's own. */
  const home = (): Record<string, string> => ({ HOME: scratch(), DOCKER_CONFIG: "", REGISTRY_AUTH_FILE: "" });

  test("CVE-2014-5277: no answer by TLS is no reason to speak without", async () => {
    const here = registry("127.0.0.1", () => undefined);
    const there = registry(ELSEWHERE, () => undefined);
    for (const { domain } of [here, there])
      expect((await mydocker(["pull", `${domain}/x`])).code).not.toBe(0);
    expect(here.seen.length).toBeGreaterThan(0);
    expect(there.seen).toEqual([]);
    for (const { stop } of [here, there]) stop();
  });

  test("CVE-2020-15157: whoever a registry names or sends us to does not learn the password", async () => {
    const thief = registry("127.0.0.1", () => new Response("", asked));
    const foreign = { ...manifestOf(config, [layer]) };
    const layers = [
      {
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest: digest(layer),
        size: layer.length,
        urls: [`http://${thief.domain}/stolen`],
      },
    ];
    const manifest = bytesOf({ ...foreign, layers });
    const mine = registry("127.0.0.1", (request) => {
      const { pathname } = new URL(request.url);
      if (request.headers.get("authorization") !== basic) return new Response("", asked);
      if (pathname.includes("/manifests/"))
        return new Response(manifest, { headers: { "content-type": String(foreign.mediaType) } });
      if (pathname.endsWith(digest(config))) return new Response(config);
      if (pathname.includes("/blobs/")) return Response.redirect(`http://${thief.domain}/redirected`, 307);
      return undefined;
    });
    const env = home();
    expect(
      (await mydocker(["login", "-u", "me", "--password-stdin", mine.domain], { env, stdin: "hunter2" }))
        .code,
    ).toBe(0);
    expect((await mydocker(["pull", `${mine.domain}/x`], { env })).code).not.toBe(0);
    expect(mine.seen.some(({ headers }) => headers.get("authorization") === basic)).toBe(true);
    // it was sent there, and said nothing of who it is
    expect(thief.seen.length).toBeGreaterThan(0);
    for (const { headers } of thief.seen) expect(headers.get("authorization")).toBeNull();
    for (const { stop } of [thief, mine]) stop();
  });

  test("CVE-2021-41092: the password for one registry does not go to another", async () => {
    const accept = (request: Request): Response | undefined =>
      request.headers.get("authorization") === null ? new Response("", asked) : undefined;
    const [mine, other] = [registry("127.0.0.1", accept), registry("127.0.0.1", accept)];
    const env = home();
    expect(
      (await mydocker(["login", "-u", "me", "--password-stdin", mine.domain], { env, stdin: "hunter2" }))
        .code,
    ).toBe(0);
    for (const { domain } of [mine, other])
      expect((await mydocker(["pull", `${domain}/x`], { env })).code).not.toBe(0);
    expect(mine.seen.some(({ headers }) => headers.get("authorization") === basic)).toBe(true);
    for (const { headers } of other.seen) expect(headers.get("authorization")).toBeNull();
    for (const { stop } of [mine, other]) stop();
  });

  test("CVE-2019-13509: a password is not shown, nor kept where others can read it", async () => {
    const mine = registry("127.0.0.1", (request) =>
      request.headers.get("authorization") === basic ? undefined : new Response("", asked),
    );
    const env = home();
    const outputs = [
      await mydocker(["--debug", "login", "-u", "me", "--password-stdin", mine.domain], {
        env,
        stdin: "hunter2",
      }),
      await mydocker(["--debug", "pull", `${mine.domain}/x`], { env }),
      await mydocker(["--debug", "login", "-u", "me", "--password-stdin", mine.domain], {
        env,
        stdin: "hunter3",
      }),
    ];
    expect(outputs.map(({ code }) => code)).toEqual([0, expect.any(Number), expect.any(Number)]);
    for (const { stdout, stderr } of outputs) {
      expect(stdout + stderr).not.toMatch(/hunter[23]/);
      expect(stdout + stderr).not.toContain(basic.slice(6));
    }
    const kept = [
      ...new Bun.Glob("**/*").scanSync({ cwd: env.HOME ?? "", dot: true, absolute: true }),
    ].filter((path) => readFileSync(path, "utf8").includes(basic.slice(6)));
    for (const path of kept) expect(statSync(path).mode & 0o077).toBe(0);
    mine.stop();
  });

  test("CVE-2023-25153, CVE-2021-21285: a manifest without an end, or that is none", async () => {
    let mode = 0;
    const endless = (): ReadableStream => {
      const piece = new Uint8Array(1 << 20).fill(0x20);
      let sent = 0;
      return new ReadableStream({
        pull: (controller) => (sent++ < 512 ? controller.enqueue(piece) : controller.close()),
      });
    };
    const evil = registry("127.0.0.1", (request) => {
      if (!new URL(request.url).pathname.includes("/manifests/")) return undefined;
      const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
      return new Response(
        [endless(), "null", "{", '{"schemaVersion":2,"config":null,"layers":[]}', "[".repeat(100_000)][mode],
        { headers },
      );
    });
    for (; mode < 5; mode++) {
      const { code, stderr } = await mydocker(["pull", `${evil.domain}/x`]);
      expect({ mode, code, stderr }).toEqual({
        mode,
        code: 125,
        stderr: expect.stringMatching(/^mydocker: [^\n]*\n$/),
      });
    }
    evil.stop();
  });
});
