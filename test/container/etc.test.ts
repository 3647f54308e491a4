import { describe, expect, test } from "bun:test";
import { peersOf, withPeers } from "../../src/container/hosts.ts";
import { buildHosts, linesOf } from "../../src/container/hosts-file.ts";
import { buildResolvConf, type ResolvConf } from "../../src/container/resolv-conf.ts";
import type { Attachment } from "../../src/network/attachment.ts";

const resolv = (host: string, more: Partial<ResolvConf> = {}): string =>
  buildResolvConf({ host, servers: [], search: [], options: [], onHost: false, ipv6: false, ...more });

describe("resolv.conf", () => {
  test("is the host's, without comments", () => {
    expect(
      resolv("# by hand\nnameserver 192.0.2.1\nsearch a b\noptions ndots:2 rotate\nsortlist 10.0.0.0\n"),
    ).toBe("nameserver 192.0.2.1\nsearch a b\noptions ndots:2 rotate\nsortlist 10.0.0.0\n");
  });

  test("without resolvers that the container cannot reach", () => {
    expect(resolv("nameserver 127.0.0.1\nnameserver 192.0.2.1\nnameserver ::1\n")).toBe(
      "nameserver 192.0.2.1\n",
    );
    expect(resolv("nameserver 2001:db8::1\nnameserver 192.0.2.1\n")).toBe("nameserver 192.0.2.1\n");
    expect(resolv("nameserver 2001:db8::1\n", { ipv6: true })).toBe("nameserver 2001:db8::1\n");
    expect(resolv("nameserver 127.0.0.53\n", { onHost: true })).toBe("nameserver 127.0.0.53\n");
  });

  test("systemd-resolved's own servers, else public ones, in place of none", () => {
    expect(resolv("nameserver 127.0.0.53\n", { upstream: "nameserver 192.0.2.7\n" })).toBe(
      "nameserver 192.0.2.7\n",
    );
    expect(resolv("nameserver 127.0.0.53\n")).toBe("nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    expect(resolv("")).toBe("nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  });

  test("what is asked for replaces, each for itself", () => {
    const host = "nameserver 192.0.2.1\nsearch a\noptions rotate\n";
    expect(resolv(host, { servers: ["192.0.2.9"] })).toBe("nameserver 192.0.2.9\nsearch a\noptions rotate\n");
    expect(resolv(host, { search: ["x", "y"] })).toBe("nameserver 192.0.2.1\nsearch x y\noptions rotate\n");
    expect(resolv(host, { search: ["."] })).toBe("nameserver 192.0.2.1\noptions rotate\n");
    expect(resolv(host, { options: ["ndots:1"] })).toBe("nameserver 192.0.2.1\nsearch a\noptions ndots:1\n");
  });

  test("of search and domain the last one counts", () => {
    expect(resolv("nameserver 192.0.2.1\ndomain a\nsearch b c\n")).toBe("nameserver 192.0.2.1\nsearch b c\n");
  });
});

describe("hosts", () => {
  test("fixed lines, what was asked for, its own", () => {
    const text = buildHosts(
      [{ address: "192.0.2.1", names: ["box"] }],
      [{ address: "172.30.0.2", names: ["c1"] }],
    );
    expect(text).toStartWith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    expect(text).toEndWith("ff02::2\tip6-allrouters\n192.0.2.1\tbox\n172.30.0.2\tc1\n");
  });

  test("a name that would be a line of its own is left out", () => {
    expect(linesOf([{ address: "192.0.2.1", names: ["good", "ev\nil", "b ad", "#no"] }])).toBe(
      "192.0.2.1\tgood\n",
    );
    expect(linesOf([{ address: "192.0.2.1", names: ["ev il"] }])).toBe("");
  });

  test("the block of others is replaced, and what is written around it stays", () => {
    const peers = [{ address: "172.30.0.3", names: ["c2"] }];
    const once = withPeers("own\n", peers);
    expect(once).toContain("172.30.0.3\tc2\n");
    const edited = `before\n${once}after\n`;
    const twice = withPeers(edited, [{ address: "172.30.0.4", names: ["c3"] }]);
    expect(twice).toStartWith("before\nown\n");
    expect(twice).toEndWith("after\n");
    expect(twice).not.toContain("c2");
    expect(withPeers(twice, [])).toBe("before\nown\nafter\n");
    expect(withPeers("no newline", peers)).toStartWith("no newline\n#");
  });

  test("others are those of the same named networks", () => {
    const at = (container: string, ...networks: string[]): Attachment => ({
      container,
      name: `n${container}`,
      hostname: container,
      ports: [],
      endpoints: networks.map((network) => ({
        network,
        networkId: network,
        interface: "eth0",
        veth: "v",
        mac: "",
        internal: false,
        aliases: [`a${container}`],
        addresses: [{ address: `10.0.0.${container}`, prefix: 24, gateway: "10.0.0.254" }],
      })),
    });
    const all = [at("1", "bridge", "one"), at("2", "one"), at("3", "two"), at("4", "bridge")];
    expect(peersOf(all[0] as Attachment, all)).toEqual([
      { address: "10.0.0.2", names: ["n2", "2"] },
      { address: "10.0.0.2", names: ["a2"] },
    ]);
    expect(peersOf(all[3] as Attachment, all)).toEqual([]);
  });
});
