/** Networks, seen from the containers, the host and the kernel. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import {
  background,
  fails,
  monitors,
  mydocker,
  namespaces,
  newName,
  ok,
  quietly,
  RUN,
  suite,
  testWhere,
  until,
} from "./harness.ts";
import { addressOf, withNetwork } from "./networks.ts";
import { HERE, NFT, NO_NFT, Outside, THERE } from "./outside.ts";

suite();
const outside = new Outside();
const SLEEP = ["busybox", "sleep", "1000"];

const inspect = async (name: string, path: string): Promise<string> =>
  ok("inspect", "-f", `{{${path}}}`, name);
/** Of this process's network, whatever /sys shows. */
const hasLink = (name: string): boolean =>
  new RegExp(`^ *${name}:`, "m").test(readFileSync("/proc/self/net/dev", "utf8"));
const links = (): string[] => readFileSync("/proc/self/net/dev", "utf8").match(/veth[0-9a-z]+(?=:)/g) ?? [];
const pings = async (name: string, address: string): Promise<boolean> =>
  (await mydocker(["exec", name, "ping", "-c1", "-W1", address])).code === 0;

describe("the default network", () => {
  test("an address, a route, the gateway answers, and the record says the same", async () => {
    const { name, pid } = await background(...SLEEP);
    const address = await addressOf(name);
    const gateway = await inspect(name, ".NetworkSettings.Gateway");
    const seen = await ok("exec", name, "ip", "-4", "addr", "show", "eth0");
    expect(seen).toContain(`inet ${address}/16`);
    expect(await ok("exec", name, "ip", "route")).toContain(`default via ${gateway} dev eth0`);
    expect(await pings(name, gateway)).toBe(true);
    expect(namespaces(pid).net).not.toBe(namespaces("self").net);
    const mac = await inspect(name, ".NetworkSettings.MacAddress");
    expect(await ok("exec", name, "cat", "/sys/class/net/eth0/address")).toBe(mac);
    expect(await ok("exec", name, "cat", "/etc/hosts")).toContain(
      `${address}\t${await inspect(name, ".Config.Hostname")}`,
    );
    expect(Bun.spawnSync(["busybox", "ping", "-c1", "-W1", address]).exitCode).toBe(0);
  });

  test("two containers reach each other by address, and not by name", async () => {
    const one = await background(...SLEEP);
    const other = await background(...SLEEP);
    expect(await addressOf(one.name)).not.toBe(await addressOf(other.name));
    expect(await pings(one.name, await addressOf(other.name))).toBe(true);
    expect(await ok("exec", one.name, "cat", "/etc/hosts")).not.toContain(other.name);
  });

  testWhere(NFT, NO_NFT, "the world sees the host's address", async () => {
    const server = outside.start("busybox", "httpd", "-f", "-v", "-p", "8000", "-h", "/etc");
    await until(() => outside.fetch(`http://${THERE.address}:8000/hostname`), "a server");
    const { name } = await background(...SLEEP);
    expect(await ok("exec", name, "wget", "-qO-", `http://${THERE.address}:8000/hostname`)).not.toBe("");
    server.kill();
    const seen = await new Response(server.stderr).text();
    expect(seen).toContain(`[::ffff:${HERE.address}]:`);
    expect(seen).not.toContain(await addressOf(name));
  });

  test("links, addresses and records go with the container, however it ends", async () => {
    const before = links();
    const { name } = await background(...SLEEP);
    const { pid } = await background("--rm", ...SLEEP);
    const killed = await background(...SLEEP);
    expect(links().length).toBe(before.length + 3);
    await ok("stop", "-t", "0", name);
    process.kill(pid, "SIGKILL");
    for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
    await until(() => links().length === before.length, "no link to be left");
    await ok("rm", "-f", killed.name);
    await until(() => readdirSync(`${RUN}/.net/containers`).length === 0, "no record to be left");
    const leases = readdirSync(`${RUN}/.net`).filter((one) => /^[0-9a-f]{12}$/.test(one));
    for (const folder of leases)
      expect(readdirSync(`${RUN}/.net/${folder}`).filter((one) => !one.startsWith("."))).toEqual([]);
  });

  test("start gives an address again, and restart", async () => {
    const { name } = await background(...SLEEP);
    await ok("stop", "-t", "0", name);
    expect(await addressOf(name)).toBe("");
    await ok("start", name);
    await ok("restart", "-t", "0", name);
    expect(await pings(name, await inspect(name, ".NetworkSettings.Gateway"))).toBe(true);
  });

  test("forty at once: nobody has another's address", async () => {
    const names = Array.from({ length: 40 }, () => newName());
    await Promise.all(names.map((name) => ok("run", "-d", "--name", name, ...SLEEP)));
    const addresses = await Promise.all(names.map((name) => addressOf(name)));
    expect(new Set(addresses).size).toBe(40);
  }, 120_000);
});

describe("modes", () => {
  test("none, host, another container's", async () => {
    expect(await ok("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net")).toBe("lo");
    const host = await background("--net", "host", ...SLEEP);
    expect(namespaces(host.pid).net).toBe(namespaces("self").net);
    const owner = await background(...SLEEP);
    const other = await background("--network", `container:${owner.name}`, ...SLEEP);
    expect(namespaces(other.pid).net).toBe(namespaces(owner.pid).net);
    expect(await ok("exec", other.name, "hostname")).toBe(await ok("exec", owner.name, "hostname"));
    expect(await ok("exec", other.name, "ls", "/sys/class/net")).toBe("eth0\nlo");
    expect(await ok("exec", other.name, "cat", "/etc/hosts")).toContain(await addressOf(owner.name));
    // the namespace lives on, but not on the network
    await ok("rm", "-f", owner.name);
    expect(await ok("exec", other.name, "ls", "/sys/class/net")).toBe("lo");
  });

  test("one that cannot be shared", async () => {
    await fails(125, /No such container: nobody-here/, "run", "--network", "container:nobody-here", ...SLEEP);
    const name = newName();
    await ok("create", "--name", name, ...SLEEP);
    await fails(
      125,
      /cannot join network of a non running container/,
      "run",
      "--network",
      `container:${name}`,
      ...SLEEP,
    );
  });

  test("what does not go together", async () => {
    await fails(125, /conflicting options/, "run", "--network", "host", "--network", "bridge", ...SLEEP);
    await fails(125, /user defined networks only/, "run", "--ip", "172.30.0.9", ...SLEEP);
    await fails(125, /network no-such-net not found/, "run", "--network", "no-such-net", ...SLEEP);
    await fails(
      125,
      /specified multiple times/,
      "run",
      "--network",
      "bridge",
      "--network",
      "bridge",
      ...SLEEP,
    );
    await fails(125, /not a valid mac address/, "run", "--mac-address", "01:00:00:00:00:00", ...SLEEP);
  });
});

describe("networks", () => {
  test("are made, listed, shown and removed; also in the old spellings", async () => {
    const name = newName("net");
    const id = await ok("network", "create", "--driver", "bridge", "--subnet", "192.168.77.0/24", name);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await ok("network", "list")).toMatch(
      new RegExp(`^${id.slice(0, 12)}   ${name} +bridge +local$`, "m"),
    );
    const [shown] = JSON.parse(await ok("network", "inspect", name));
    expect(shown).toMatchObject({ Name: name, Id: id, Driver: "bridge", Scope: "local", Internal: false });
    expect(shown.IPAM.Config).toEqual([{ Subnet: "192.168.77.0/24", Gateway: "192.168.77.1" }]);
    expect(hasLink(`br-${id.slice(0, 12)}`)).toBe(true);
    await fails(1, /already exists/, "network", "create", name);
    await fails(1, /Pool overlaps/, "network", "create", "--subnet", "192.168.77.128/25", newName("net"));
    expect(await ok("network", "remove", name)).toBe(name);
    expect(hasLink(`br-${id.slice(0, 12)}`)).toBe(false);
    await fails(1, /not found/, "network", "rm", name);
    expect(await ok("network", "rm", "-f", name)).toBe(name);
  });

  test.each([
    [["create", "--subnet", "nonsense", "x1"], 1, /invalid subnet nonsense/],
    [
      ["create", "--subnet", "10.9.0.0/24", "--gateway", "10.8.0.1", "x1"],
      1,
      /no matching subnet for gateway/,
    ],
    [["create", "--driver", "overlay", "x1"], 125, /there is bridge only/],
    [["create", "-o", "nonsense=1", "x1"], 125, /unknown option nonsense/],
    [["create", "no/slash"], 125, /invalid network name/],
    [["create", "host"], 1, /predefined/],
    [["rm", "bridge"], 1, /pre-defined network and cannot be removed/],
    [["connect", "bridge", "nobody-here"], 1, /No such container/],
    [["inspect", "nothing-here"], 1, /not found/],
  ] as const)("%p is refused", async (args, code, words) => {
    const { stdout, stderr, code: got } = await mydocker(["network", ...args]);
    expect(stderr).toMatch(words);
    expect({ code: got, out: stdout.replace("[]\n", "") }).toEqual({ code, out: "" });
  });

  test("one that is used is not removed; one that is not is pruned", async () => {
    await withNetwork(async (name) => {
      const { name: container } = await background("--network", name, ...SLEEP);
      await fails(1, /has active endpoints/, "network", "rm", name);
      expect(await ok("network", "prune", "-f")).not.toContain(name);
      await ok("rm", "-f", container);
      expect(await ok("network", "prune", "-f")).toContain(name);
    });
  });

  test("a fixed address, a MAC, a range", async () => {
    await withNetwork(
      async (name) => {
        const fixed = await background(
          "--network",
          name,
          "--ip",
          "10.211.3.77",
          "--mac-address",
          "02:00:00:00:00:77",
          ...SLEEP,
        );
        expect(await addressOf(fixed.name, name)).toBe("10.211.3.77");
        expect(await ok("exec", fixed.name, "cat", "/sys/class/net/eth0/address")).toBe("02:00:00:00:00:77");
        await fails(125, /Address already in use/, "run", "--network", name, "--ip", "10.211.3.77", ...SLEEP);
        await fails(
          125,
          /does not belong to any of this network's subnets/i,
          "run",
          "--network",
          name,
          "--ip",
          "10.212.0.1",
          ...SLEEP,
        );
        const free = await background("--network", name, ...SLEEP);
        expect(await addressOf(free.name, name)).toMatch(/^10\.211\.3\.1(28|29|30|31)$/);
      },
      ...["--subnet", "10.211.3.0/24", "--ip-range", "10.211.3.128/30", "--gateway", "10.211.3.254"],
    );
  });

  test("a range that is used up says so, and an address that is given back is given again", async () => {
    await withNetwork(
      async (name) => {
        const first = await background("--network", name, ...SLEEP);
        await fails(125, /no available IPv4 addresses/, "run", "--network", name, ...SLEEP);
        // its monitor is killed: nobody gives the address back
        for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
        await until(() => !existsSync(`/proc/${first.pid}/ns/net`), "its end");
        const second = await background("--network", name, ...SLEEP);
        expect(await addressOf(second.name, name)).toBe("10.211.4.2");
      },
      ...["--subnet", "10.211.4.0/30"],
    );
  });

  test("IPv6: addresses, a route, both ways", async () => {
    await withNetwork(
      async (name) => {
        const one = await background("--network", name, ...SLEEP);
        const other = await background("--network", name, "--ip6", "fd00:77::99", ...SLEEP);
        expect(await ok("exec", other.name, "ip", "-6", "addr", "show", "eth0")).toContain(
          "inet6 fd00:77::99/64",
        );
        expect(await ok("exec", one.name, "ip", "-6", "route")).toContain("default via fd00:77::1 dev eth0");
        expect(await pings(one.name, "fd00:77::99")).toBe(true);
        expect(await pings(one.name, "fd00:77::1")).toBe(true);
        if (NFT) expect(await pings(one.name, THERE.address6)).toBe(true);
      },
      ...["--ipv6", "--subnet", "fd00:77::/64"],
    );
  });

  test("without IPv6 there is none on the link", async () => {
    const { name } = await background(...SLEEP);
    expect(await ok("exec", name, "ip", "-6", "addr", "show", "eth0")).toBe("");
  });

  test("several at once, connect and disconnect while it runs", async () => {
    await withNetwork(async (one) => {
      await withNetwork(async (two) => {
        const { name } = await background("--network", one, ...SLEEP);
        const peer = await background("--network", two, ...SLEEP);
        expect(await pings(name, peer.name)).toBe(false);
        await ok("network", "connect", "--alias", "other-name", two, name);
        expect(await pings(name, peer.name)).toBe(true);
        expect(await pings(peer.name, "other-name")).toBe(true);
        await fails(1, /already attached/, "network", "connect", two, name);
        expect(await ok("ps", "--filter", `name=${name}`, "--format", "{{.Networks}}")).toBe(`${one},${two}`);
        await ok("network", "disconnect", one, name);
        expect(await ok("exec", name, "ip", "route")).toContain("dev eth1");
        expect(await ok("exec", name, "ls", "/sys/class/net")).toBe("eth1\nlo");
        await fails(1, /is not connected/, "network", "disconnect", one, name);
        // as it is now it starts again
        await ok("restart", "-t", "0", name);
        expect(await pings(peer.name, "other-name")).toBe(true);
        const both = await background("--network", one, "--network", `name=${two},alias=both`, ...SLEEP);
        expect(await ok("exec", both.name, "ls", "/sys/class/net")).toBe("eth0\neth1\nlo");
        expect(await pings(peer.name, "both")).toBe(true);
      });
    });
  });

  test("by its id, and the beginning of it", async () => {
    await withNetwork(async (name, id) => {
      const { name: container } = await background("--network", id.slice(0, 8), ...SLEEP);
      expect(await ok("ps", "--filter", `network=${name}`, "--format", "{{.Networks}}")).toBe(name);
      await ok("network", "disconnect", id, container);
      await ok("network", "connect", id.slice(0, 12), container);
      expect(await ok("exec", container, "ls", "/sys/class/net")).toBe("eth0\nlo");
    });
  });

  test("an option for the link's MTU", async () => {
    await withNetwork(
      async (name) => {
        const { name: container } = await background("--network", name, ...SLEEP);
        expect(await ok("exec", container, "cat", "/sys/class/net/eth0/mtu")).toBe("1400");
      },
      ...["-o", "com.docker.network.driver.mtu=1400"],
    );
  });

  test("a link that is lost, or flushed rules, are made again", async () => {
    const { name } = await background(...SLEEP);
    const bridge = await ok(
      "network",
      "inspect",
      "-f",
      '{{index .Options "com.docker.network.bridge.name"}}',
      "bridge",
    );
    await ok("rm", "-f", name);
    Bun.spawnSync(["ip", "link", "del", bridge]);
    quietly(() => Bun.spawnSync(["nft", "flush", "ruleset"]), undefined);
    const again = await background(...SLEEP);
    expect(await pings(again.name, await inspect(again.name, ".NetworkSettings.Gateway"))).toBe(true);
    if (NFT) expect(await pings(again.name, THERE.address)).toBe(true);
  });
});
