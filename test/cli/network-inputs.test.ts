import { describe, expect, test } from "bun:test";
import { parseDomain, parseExtraHost } from "../../src/cli/names-flags.ts";
import { type NetworkFlags, readNetworks } from "../../src/cli/network-flags.ts";
import { parseExpose, parsePublish } from "../../src/cli/ports.ts";

const port = (
  hostAddress: string,
  hostPort: number,
  at: number,
  protocol = "tcp",
  hostPortEnd = hostPort,
): object => ({
  hostAddress,
  hostPort,
  hostPortEnd,
  port: at,
  protocol,
});

describe("-p", () => {
  test.each([
    ["80", [port("", 0, 80)]],
    ["8080:80", [port("", 8080, 80)]],
    ["8080:80/udp", [port("", 8080, 80, "udp")]],
    ["8080:80/UDP", [port("", 8080, 80, "udp")]],
    ["127.0.0.1:8080:80", [port("127.0.0.1", 8080, 80)]],
    ["127.0.0.1::80/sctp", [port("127.0.0.1", 0, 80, "sctp")]],
    [":8080:80", [port("", 8080, 80)]],
    ["[2001:DB8::1]:8080:80", [port("2001:db8::1", 8080, 80)]],
    ["[::]::80", [port("::", 0, 80)]],
    ["8080-8082:80", [port("", 8080, 80, "tcp", 8082)]],
    ["8080-8081:80-81", [port("", 8080, 80), port("", 8081, 81)]],
    ["80-81", [port("", 0, 80), port("", 0, 81)]],
    ["0:80", [port("", 0, 80)]],
    ["8080:80/", [port("", 8080, 80)]],
    ["[::ffff:127.0.0.1]:8080:80", [port("127.0.0.1", 8080, 80)]],
    ["target=80,published=8080,protocol=udp,host_ip=::1", [port("::1", 8080, 80, "udp")]],
    ["target=80", [port("", 0, 80)]],
    ["published=127.0.0.1:8080,target=80", [port("127.0.0.1", 8080, 80)]],
    ["published=127.0.0.1:,target=80", [port("127.0.0.1", 0, 80)]],
    ["target=53,protocol=udp,published=[::1]:8053", [port("::1", 8053, 53, "udp")]],
  ])("%s", (text, wishes) => expect(parsePublish(text) as object).toEqual(wishes));

  test.each([
    ["", "no port specified"],
    ["8080:", "no port specified"],
    ["x", "Invalid containerPort: x"],
    ["0", "Invalid containerPort: 0"],
    ["65536", "Invalid containerPort: 65536"],
    ["81-80", "Invalid containerPort"],
    ["x:80", "Invalid hostPort: x"],
    ["80/icmp", "Invalid proto: icmp"],
    ["300.1.1.1:80:80", "Invalid ip address: 300.1.1.1"],
    ["::1:80:80", "IPv6 stands in brackets"],
    ["[x]:80:80", "Invalid ip address: x"],
    ["1-3:1-2", "Invalid ranges specified"],
    ["published=80", "no port specified"],
    ["target=80,colour=red", "invalid field colour=red"],
    ["target=80,published=1.2.3:8080", "Invalid ip address: 1.2.3"],
    ["target=80,published=127.0.0.1:8080,host_ip=127.0.0.1", "two addresses of the host"],
  ])("%p is refused", (text, words) => expect(() => parsePublish(text)).toThrow(words));

  test("--expose", () => {
    expect(parseExpose("80")).toEqual(["80/tcp"]);
    expect(parseExpose("80-82/udp")).toEqual(["80/udp", "81/udp", "82/udp"]);
    expect(() => parseExpose("x")).toThrow("Invalid containerPort: x");
  });
});

describe("--network", () => {
  const read = (networks: string[], more: Partial<NetworkFlags> = {}): object =>
    readNetworks({ networks, aliases: [], ...more });

  test.each([
    [[], { mode: "networks", endpoints: [{ network: "bridge" }] }],
    [["default"], { mode: "networks", endpoints: [{ network: "bridge" }] }],
    [[""], { mode: "networks", endpoints: [{ network: "bridge" }] }],
    [["none"], { mode: "none", endpoints: [] }],
    [["host"], { mode: "host", endpoints: [] }],
    [["container:web"], { mode: "container", container: "web", endpoints: [] }],
    [["one", "two"], { mode: "networks", endpoints: [{ network: "one" }, { network: "two" }] }],
    [
      ["name=one,alias=a,alias=b,ip=10.0.0.9,ip6=FD00::9,mac-address=02-00-00-00-00-09"],
      {
        mode: "networks",
        endpoints: [
          { network: "one", aliases: ["a", "b"], ip: "10.0.0.9", ip6: "fd00::9", mac: "02:00:00:00:00:09" },
        ],
      },
    ],
  ])("%p", (networks, wish) => expect(read(networks)).toEqual(wish));

  test("other flags are the first one's", () => {
    expect(read(["one", "two"], { ip: "10.0.0.9", aliases: ["a"] })).toEqual({
      mode: "networks",
      endpoints: [{ network: "one", ip: "10.0.0.9", aliases: ["a"] }, { network: "two" }],
    });
  });

  test.each([
    [["host", "one"], {}, "cannot attach both user-defined and non-user-defined"],
    [["none", "none"], {}, "cannot attach both"],
    [["bridge", "one"], {}, "cannot attach both"],
    [["one", "default"], {}, "cannot attach both"],
    [["bridge", "host"], {}, "cannot attach both"],
    [["one", "one"], {}, "specified multiple times"],
    [["bridge", "default"], {}, "specified multiple times"],
    [["container:"], {}, "name a container"],
    [["host"], { ip: "10.0.0.9" }, "do not go with --network host"],
    [["bridge"], { ip: "10.0.0.9" }, "user defined networks only"],
    [["bridge"], { aliases: ["x"] }, "only supported for user-defined networks"],
    [["one"], { ip: "fd00::1" }, "invalid IPv4 address: fd00::1"],
    [["one"], { ip6: "10.0.0.1" }, "invalid IPv6 address"],
    [["one"], { mac: "01:00:00:00:00:01" }, "not a valid mac address"],
    [["name=one,ip=1.2.3.4"], { ip: "10.0.0.9" }, "conflicting options: ip"],
    [["ip=1.2.3.4"], {}, "network name is missing"],
    [["name=one,x=1"], {}, "invalid network field x"],
    [["name=host,ip=1.2.3.4"], {}, "do not go with --network host"],
    [["one"], { aliases: ["a b"] }, 'invalid alias "a b"'],
    [["one"], { ip: "0.0.0.0" }, "invalid IPv4 address"],
    [["one"], { ip6: "::ffff:1.2.3.4" }, "invalid IPv6 address"],
    [["-x"], {}, "invalid network name (-x)"],
    [["a/b"], {}, "invalid network name (a/b)"],
  ])("%p %p is refused", (networks, more, words) => expect(() => read(networks, more)).toThrow(words));
});

describe("--add-host", () => {
  test.each([
    ["box:192.0.2.1", { host: "box", address: "192.0.2.1" }],
    ["box=192.0.2.1", { host: "box", address: "192.0.2.1" }],
    ["box:2001:DB8::1", { host: "box", address: "2001:db8::1" }],
    ["box:[2001:db8::1]", { host: "box", address: "2001:db8::1" }],
    ["box:host-gateway", { host: "box", address: "host-gateway" }],
  ])("%s", (text, host) => expect(parseExtraHost(text)).toEqual(host));

  test.each(["", "box", ":1.2.3.4", "box:", "box:nonsense", "b ox:1.2.3.4", "box:1.2.3.4 evil"])(
    "%p is refused",
    (text) => expect(() => parseExtraHost(text)).toThrow(/add-host/),
  );
});

describe("--dns-search", () => {
  test.each([
    ["example.com", "example.com"],
    ["a-b.c1.", "a-b.c1"],
    [" corp ", "corp"],
    [".", "."],
  ])("%p", (text, domain) => expect(parseDomain(text)).toBe(domain));

  test.each(["", "1.2.3.4", "a b", "-a.b", "a-.b", "a..b", ".a", "a_b", "a;b", `${"a".repeat(255)}`, "a\nb"])(
    "%p is refused",
    (text) => expect(() => parseDomain(text)).toThrow("is not a valid domain"),
  );
});
