/** Published ports, and who may speak to whom: by real traffic, seen from both ends. */
import { describe, expect, test } from "bun:test";
import {
  BINARY,
  background,
  describeWhere,
  ENV,
  fails,
  monitors,
  mydocker,
  newName,
  ok,
  quietly,
  RUN,
  suite,
  testWhere,
  until,
} from "./harness.ts";
import { addressOf, withNetwork } from "./networks.ts";
import { FETCH, HERE, NFT, NO_NFT, Outside, THERE } from "./outside.ts";

suite();
const outside = new Outside();
/** A server that tells who asks. */
const SERVE =
  'mkdir -p /www/cgi-bin; printf "#!/bin/sh\\necho; echo \\$REMOTE_ADDR" >/www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p 80 -h /www';
const server = (...options: string[]): Promise<{ name: string; id: string; pid: number }> =>
  background(...options, "busybox", "sh", "-c", SERVE);
const gateway = (): Promise<string> =>
  ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge");

/** What httpd says of an address: in brackets, and IPv4 as mapped. */
function plain(text: string): string {
  return text.trim().replace(/^\[(?:::ffff:)?(.*)\]$/, "$1");
}

/** From this host. */
function fetchHere(url: string, seconds = 2): string | undefined {
  const { exitCode, stdout } = Bun.spawnSync([process.execPath, "-e", FETCH, url, String(seconds)]);
  return exitCode === 0 ? plain(stdout.toString()) : undefined;
}

function fetchThere(url: string, seconds = 2): string | undefined {
  const text = outside.fetch(url, seconds);
  return text === undefined ? undefined : plain(text);
}

/** From a container. */
async function fetchFrom(name: string, url: string): Promise<string | undefined> {
  const { code, stdout } = await mydocker(["exec", name, "timeout", "2", "wget", "-qO-", url]);
  return code === 0 ? plain(stdout) : undefined;
}

const who = (port: number, host: string = HERE.address): string => `http://${host}:${port}/cgi-bin/who`;

describeWhere(NFT, NO_NFT, "a published port", () => {
  test("from outside, with the client's address; from the host by each of its addresses; from itself and a neighbour", async () => {
    const { name } = await server("-p", "18080:80");
    const own = await addressOf(name);
    expect(await until(() => fetchThere(who(18080)), "an answer")).toBe(THERE.address);
    expect(fetchHere(who(18080))).toBe(HERE.address);
    expect(fetchHere(who(18080, "127.0.0.1"))).toBe(await gateway());
    expect(fetchHere(who(18080, await gateway()))).toBe(await gateway());
    // by way of the host, which is then who they see
    expect(await fetchFrom(name, who(18080))).toBe(await gateway());
    const neighbour = await background("busybox", "sleep", "1000");
    expect(await fetchFrom(neighbour.name, who(18080))).toBe(await gateway());
    expect(await fetchFrom(neighbour.name, who(80, own))).toBe(await addressOf(neighbour.name));
    expect(await ok("port", name)).toBe("80/tcp -> 0.0.0.0:18080");
    expect(await ok("port", name, "80")).toBe("0.0.0.0:18080");
    await fails(1, /no public port '81\/tcp'/, "port", name, "81");
    expect(await ok("ps", "--format", "{{.Ports}}", "--filter", `name=${name}`)).toBe(
      "0.0.0.0:18080->80/tcp",
    );
    expect(
      await ok("inspect", "-f", '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', name),
    ).toBe("18080");
    await ok("rm", "-f", name);
    expect(fetchThere(who(18080), 0.5)).toBeUndefined();
  });

  test("on one address only: not to be had from another, nor by those who send to the host's loopback", async () => {
    const local = await server("-p", "127.0.0.1:18081:80", "-p", `${HERE.address}:18082:80`);
    expect(await until(() => fetchHere(who(18081, "127.0.0.1")), "an answer")).toBe(await gateway());
    expect(fetchHere(who(18081), 0.5)).toBeUndefined();
    expect(fetchThere(who(18081), 0.5)).toBeUndefined();
    expect(fetchThere(who(18082))).toBe(THERE.address);
    expect(fetchHere(who(18082, "127.0.0.1"), 0.5)).toBeUndefined();
    // a neighbour that takes our loopback for something beyond us
    outside.run(
      "sh",
      "-c",
      "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip addr del 127.0.0.1/8 dev lo",
    );
    outside.run("ip", "route", "add", "127.0.0.1/32", "via", HERE.address, "src", THERE.address);
    expect(fetchThere(who(18081, "127.0.0.1"), 0.5)).toBeUndefined();
    outside.run("ip", "route", "del", "127.0.0.1/32", "via", HERE.address);
    outside.run("ip", "addr", "add", "127.0.0.1/8", "dev", "lo");
    await ok("rm", "-f", local.name);
  });

  test("ranges, any free port of one, an ephemeral one, -P", async () => {
    const many = await background("-p", "18100-18102:80-82", "busybox", "sleep", "1000");
    expect(await ok("port", many.name)).toBe(
      [80, 81, 82].map((port) => `${port}/tcp -> 0.0.0.0:${18020 + port}`).join("\n"),
    );
    const free = await background("-p", "18100-18110:80", "busybox", "sleep", "1000");
    expect(await ok("port", free.name, "80")).toBe("0.0.0.0:18103");
    const any = await server("-p", "80");
    const port = Number((await ok("port", any.name, "80")).split(":")[1]);
    expect(port).toBeGreaterThan(32767);
    expect(await until(() => fetchThere(who(port)), "an answer")).toBe(THERE.address);
    const all = await background("-P", "--expose", "80", "--expose", "53/udp", "busybox", "sleep", "1000");
    expect(await ok("port", all.name)).toMatch(
      /^53\/udp -> 0\.0\.0\.0:[0-9]+\n80\/tcp -> 0\.0\.0\.0:[0-9]+$/,
    );
    const publishesAll = (name: string): Promise<string> =>
      ok("inspect", "-f", "{{.HostConfig.PublishAllPorts}}", name);
    expect([await publishesAll(all.name), await publishesAll(any.name)]).toEqual(["true", "false"]);
  });

  test("one that is used is refused before anything is made: another container's, and a program's", async () => {
    const { name } = await server("-p", "18120:80");
    const second = newName();
    await fails(
      125,
      /Bind for 0\.0\.0\.0:18120 failed: port is already allocated/,
      "run",
      "-d",
      "--name",
      second,
      "-p",
      "18120:80",
      "busybox",
      "true",
    );
    await fails(1, /No such container/, "start", second);
    using listener = Bun.serve({ port: 18121, hostname: "0.0.0.0", fetch: () => new Response("mine") });
    await fails(
      125,
      /port is already allocated/,
      "run",
      "--rm",
      "-p",
      `${listener.port}:80`,
      "busybox",
      "true",
    );
    // the other way round: who comes later finds it taken
    expect(() => Bun.serve({ port: 18120, hostname: "0.0.0.0", fetch: () => new Response("") })).toThrow();
    await fails(125, /no such address/, "run", "--rm", "-p", "192.0.2.250:18122:80", "busybox", "true");
    await ok("rm", "-f", name);
    await ok("run", "--rm", "-p", "18120:80", "busybox", "true");
  });

  test.each([
    ["nonsense", /Invalid containerPort: nonsense/],
    ["70000:80", /Invalid hostPort: 70000/],
    ["80/nonsense", /Invalid proto: nonsense/],
    ["1.2.3:80:80", /Invalid ip address: 1\.2\.3/],
    ["1000-1002:80-81", /Invalid ranges/],
    ["[::1]:80:80/sctp", /\[::1\]: there is no SCTP/],
  ])("-p %s is refused", async (text, words) => {
    await fails(125, words, "run", "--rm", "-p", text, "busybox", "true");
  });

  test("UDP, also more than a packet holds", async () => {
    const { name, pid } = await background("-p", "18130:53/udp", "busybox", "sleep", "1000");
    const echo = `await Bun.udpSocket({ port: 53, hostname: "0.0.0.0", socket: { data: (s, data, port, from) => {
      s.send(data, port, from); } } });`;
    const server = Bun.spawn(["nsenter", "-t", String(pid), "-n", process.execPath, "-e", echo]);
    const script = `
      const size = Number(process.argv.at(-1));
      const socket = await Bun.udpSocket({ connect: { hostname: "${HERE.address}", port: 18130 }, socket: { data: (_, data) => {
        process.stdout.write(String(data.length)); process.exit(0);
      } } });
      socket.send(new Uint8Array(size).fill(120));
      setTimeout(() => process.exit(1), 2000);`;
    for (const size of [10, 1400, 3900])
      expect(await until(() => outside.script(script, String(size)), "an echo")).toBe(String(size));
    server.kill();
    expect(await ok("port", name)).toBe("53/udp -> 0.0.0.0:18130");
  });

  test("a thousand connections, and 64 MB through one", async () => {
    const { name } = await server("-p", "18140:80");
    await ok("exec", name, "sh", "-c", "head -c 67108864 /dev/zero >/www/large; echo hello >/www/small");
    await until(() => fetchThere("http://198.51.100.1:18140/small"), "an answer");
    const script = `
      const url = "http://${HERE.address}:18140/";
      const large = await fetch(url + "large").then((answer) => answer.arrayBuffer());
      let good = 0;
      const one = async () => { if ((await fetch(url + "small", { keepalive: false }).then((a) => a.text())) === "hello\\n") good++; };
      for (let round = 0; round < 125; round++) await Promise.all(Array.from({ length: 8 }, one));
      process.stdout.write(large.byteLength + " " + good);`;
    expect(outside.script(script)).toBe("67108864 1000");
  }, 60_000);

  test("IPv6", async () => {
    await withNetwork(
      async (network) => {
        const { name } = await server("--network", network, "-p", "18150:80");
        expect(await until(() => fetchThere(who(18150, `[${HERE.address6}]`)), "an answer")).toBe(
          THERE.address6,
        );
        expect(fetchThere(who(18150))).toBe(THERE.address);
        expect(fetchHere(who(18150, `[${HERE.address6}]`))).toBe(HERE.address6);
        expect(await fetchFrom(name, who(18150, `[${HERE.address6}]`))).toBe("fd00:88::1");
        expect(await ok("port", name)).toBe("80/tcp -> 0.0.0.0:18150\n80/tcp -> [::]:18150");
      },
      ...["--ipv6", "--subnet", "fd00:88::/64"],
    );
  });

  test("stays with its container: stop, start, restart, a monitor that is killed", async () => {
    const { name } = await server("-p", "18160:80");
    await until(() => fetchThere(who(18160)), "an answer");
    await ok("stop", "-t", "0", name);
    expect(fetchThere(who(18160), 0.5)).toBeUndefined();
    await ok("start", name);
    expect(await until(() => fetchThere(who(18160)), "an answer")).toBe(THERE.address);
    for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    // another one may have the port now, and it leads there
    const other = await server("-p", "18160:80");
    expect(await until(() => fetchThere(who(18160)), "an answer")).toBe(THERE.address);
    await ok("rm", "-f", name);
    expect(fetchThere(who(18160))).toBe(THERE.address);
    await ok("rm", "-f", other.name);
  });

  test("flushed rules are made again by the next start, with the ports of those that run", async () => {
    const { name } = await server("-p", "18170:80");
    await until(() => fetchThere(who(18170)), "an answer");
    Bun.spawnSync(["nft", "flush", "ruleset"]);
    expect(fetchThere(who(18170), 0.5)).toBeUndefined();
    await ok("run", "--rm", "busybox", "true");
    expect(fetchThere(who(18170))).toBe(THERE.address);
    await ok("rm", "-f", name);
  });

  test("the client is killed at any moment: no port stays taken", async () => {
    for (let n = 0; n < 12; n++) {
      const child = Bun.spawn([BINARY, "run", "-d", "-p", "18180:80", "busybox", "sleep", "1000"], {
        env: ENV,
        stdout: "ignore",
        stderr: "ignore",
      });
      await Bun.sleep(3 + n * 2);
      child.kill("SIGKILL");
      await child.exited;
      const ids = (await ok("ps", "-aq")).split("\n").filter((id) => id !== "");
      if (ids.length > 0) await ok("rm", "-f", ...ids);
      await until(
        async () => (await mydocker(["run", "--rm", "-p", "18180:80", "busybox", "true"])).code === 0,
        "the port",
      );
    }
  }, 60_000);
});

describeWhere(NFT, NO_NFT, "who may speak to whom", () => {
  test("nobody from outside to what is not published", async () => {
    const { name } = await server();
    const own = await addressOf(name);
    expect(await until(() => fetchHere(who(80, own)), "an answer")).toBe(await gateway());
    expect(fetchThere(who(80, own), 0.5)).toBeUndefined();
  });

  test("two networks do not see each other, but published ports are for all", async () => {
    await withNetwork(async (one) => {
      await withNetwork(async (two) => {
        const a = await server("--network", one, "-p", "18190:80");
        const b = await background("--network", two, "busybox", "sleep", "1000");
        await until(() => fetchThere(who(18190)), "an answer");
        expect(await fetchFrom(b.name, who(80, await addressOf(a.name, one)))).toBeUndefined();
        expect(await fetchFrom(b.name, who(18190))).toBeDefined();
      });
    });
  });

  test("an internal network reaches nothing outside, nor is it reached", async () => {
    await withNetwork(async (network) => {
      const a = await server("--network", network);
      const b = await background("--network", network, "busybox", "sleep", "1000");
      const own = await addressOf(a.name, network);
      expect(await fetchFrom(b.name, who(80, own))).toBe(await addressOf(b.name, network));
      expect((await mydocker(["exec", b.name, "ping", "-c1", "-W1", THERE.address])).code).not.toBe(0);
      expect(fetchThere(who(80, own), 0.5)).toBeUndefined();
    }, "--internal");
  });

  test("without enable_icc not even neighbours", async () => {
    await withNetwork(
      async (network) => {
        const a = await server("--network", network);
        const b = await background("--network", network, "busybox", "sleep", "1000");
        await Bun.sleep(50);
        expect(await fetchFrom(b.name, who(80, await addressOf(a.name, network)))).toBeUndefined();
        expect((await mydocker(["exec", b.name, "ping", "-c1", "-W1", THERE.address])).code).toBe(0);
      },
      ...["-o", "com.docker.network.bridge.enable_icc=false"],
    );
  });

  test("the host's loopback is the host's", async () => {
    using listener = Bun.serve({ port: 18200, hostname: "127.0.0.1", fetch: () => new Response("secret") });
    const { name, pid } = await background("busybox", "sleep", "1000");
    const via = await gateway();
    const route = `echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via ${via}`;
    expect(Bun.spawnSync(["nsenter", "-t", String(pid), "-n", "sh", "-c", route]).exitCode).toBe(0);
    expect(await fetchFrom(name, `http://127.0.0.1:${listener.port}/`)).toBeUndefined();
  });

  test("an address of somebody else is not believed", async () => {
    const { name, pid } = await background("busybox", "sleep", "1000");
    const enter = ["nsenter", "-t", String(pid), "-n"];
    Bun.spawnSync([...enter, "ip", "addr", "add", "203.0.113.7/32", "dev", "eth0"]);
    // whether it arrives, not whether it is answered
    const arrived = (): number => {
      const [, counts = ""] =
        (outside.run("cat", "/proc/net/snmp") ?? "").match(/^Icmp: [^\n]*\nIcmp: (.*)$/m) ?? [];
      return Number(counts.split(" ")[8]);
    };
    const before = arrived();
    expect((await mydocker(["exec", name, "ping", "-c1", "-W1", THERE.address])).code).toBe(0);
    expect(arrived()).toBe(before + 1);
    Bun.spawnSync([...enter, "busybox", "ping", "-c1", "-W1", "-I", "203.0.113.7", THERE.address]);
    expect(arrived()).toBe(before + 1);
  });

  const tables = (...args: string[]): string => Bun.spawnSync(["iptables-nft", ...args]).stdout.toString();
  const hasTables = quietly(() => tables("-S", "FORWARD") !== "", false);
  testWhere(
    hasTables,
    "no iptables-nft here",
    "a firewall that drops what is forwarded lets our networks pass, whoever came first",
    async () => {
      try {
        tables("-P", "FORWARD", "DROP");
        await withNetwork(async (network) => {
          const { name } = await server("--network", network, "-p", "18210:80");
          expect(await until(() => fetchThere(who(18210)), "an answer")).toBe(THERE.address);
          expect((await mydocker(["exec", name, "ping", "-c1", "-W1", THERE.address])).code).toBe(0);
          expect(tables("-S", "FORWARD")).toMatch(/^-A FORWARD -[io] br-[0-9a-f]{12} -j ACCEPT$/m);
          // somebody else begins to drop, or begins anew
          tables("-F", "FORWARD");
          expect(fetchThere(who(18210), 0.5)).toBeUndefined();
          await ok("run", "--rm", "--network", network, "busybox", "true");
          expect(fetchThere(who(18210))).toBe(THERE.address);
        });
        expect(tables("-S", "FORWARD")).not.toContain("br-");
      } finally {
        tables("-F");
        tables("-P", "FORWARD", "ACCEPT");
      }
    },
  );
});

describeWhere(!NFT, "this kernel has nf_tables", "without nf_tables", () => {
  test("ports are refused, and nothing is left; the rest works", async () => {
    const name = newName();
    await fails(125, /no nf_tables/, "run", "-d", "--name", name, "-p", "80:80", "busybox", "true");
    await fails(1, /No such container/, "start", name);
    await ok("run", "--rm", "busybox", "true");
  });
});

describe("many on one network", () => {
  test("start, know each other, stop, and leave nothing", async () => {
    const count = 24;
    await withNetwork(async (network) => {
      const names = Array.from({ length: count }, () => newName());
      await Promise.all(
        names.map((name) =>
          ok("run", "-d", "--name", name, "--network", network, "busybox", "sleep", "1000"),
        ),
      );
      const first = names[0] ?? "";
      const hosts = await ok("exec", first, "cat", "/etc/hosts");
      for (const name of names.slice(1)) expect(hosts).toContain(`\t${name} `);
      const last = names.at(-1) ?? "";
      expect((await mydocker(["exec", first, "ping", "-c1", "-W2", last])).code).toBe(0);
      await ok("rm", "-f", ...names);
      expect(await Array.fromAsync(new Bun.Glob("*").scan(`${RUN}/.net/containers`))).toEqual([]);
    });
  }, 120_000);
});
