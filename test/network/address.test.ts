import { describe, expect, test } from "bun:test";
import {
  contains,
  formatAddress,
  formatMac,
  formatSubnet,
  isLoopback,
  macOf,
  nthAddress,
  offsetIn,
  overlap,
  parseAddress,
  parseCidr,
  parseMac,
  parseSubnet,
  type Subnet,
  subnetSize,
} from "../../src/network/address.ts";
import { freeSubnet, freeSubnet6 } from "../../src/network/subnets.ts";

const subnet = (text: string): Subnet => parseSubnet(text) as Subnet;
const bytes = (text: string): Uint8Array => parseAddress(text) as Uint8Array;

describe("addresses", () => {
  test.each([
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["1::", "1::"],
  ])("%s", (text, shown) => {
    const parsed = parseAddress(text);
    expect(parsed && formatAddress(parsed)).toBe(shown);
  });

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.-4",
    " 1.2.3.4",
    "1.2.3.4 ",
    "0x1.2.3.4",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "12345::",
    "g::",
    "::1%eth0",
    "1:2:3:4:5:6:7::8",
    "::1.2.3.4:5",
    "1.2.3.4::",
  ])("%p is none", (text) => expect(parseAddress(text)).toBeUndefined());

  test("what is loopback", () => {
    for (const one of ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"])
      expect(isLoopback(bytes(one))).toBe(true);
    for (const one of ["128.0.0.1", "::2", "::", "10.0.0.1"]) expect(isLoopback(bytes(one))).toBe(false);
  });

  test("MACs", () => {
    expect(formatMac(parseMac("02-42-AC-11-00-02") as Uint8Array)).toBe("02:42:ac:11:00:02");
    expect(formatMac(macOf(bytes("172.17.0.2")))).toBe("02:42:ac:11:00:02");
    for (const text of [
      "",
      "02:42:ac:11:00",
      "02:42:ac:11:00:02:03",
      "02:42-ac:11:00:02",
      "0g:42:ac:11:00:02",
    ])
      expect(parseMac(text)).toBeUndefined();
  });
});

describe("subnets", () => {
  test("are cut to their prefix", () => {
    expect(formatSubnet(subnet("172.30.9.7/16"))).toBe("172.30.0.0/16");
    expect(formatSubnet(subnet("10.1.2.3/31"))).toBe("10.1.2.2/31");
    expect(formatSubnet(subnet("fd00:1:2:3:4::/61"))).toBe("fd00:1:2::/61");
    expect(parseCidr("10.1.2.3/8")).toEqual({ address: bytes("10.1.2.3"), prefix: 8 });
    for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "/8", "::/129", "10.0.0.0/8/8"])
      expect(parseSubnet(text)).toBeUndefined();
  });

  test("hold, overlap, count", () => {
    expect(contains(subnet("10.0.0.0/9"), bytes("10.127.255.255"))).toBe(true);
    expect(contains(subnet("10.0.0.0/9"), bytes("10.128.0.0"))).toBe(false);
    expect(contains(subnet("0.0.0.0/0"), bytes("::1"))).toBe(false);
    expect(overlap(subnet("10.0.0.0/8"), subnet("10.9.0.0/16"))).toBe(true);
    expect(overlap(subnet("10.9.0.0/16"), subnet("10.0.0.0/8"))).toBe(true);
    expect(overlap(subnet("10.9.0.0/16"), subnet("10.10.0.0/16"))).toBe(false);
    expect(subnetSize(subnet("10.0.0.0/24"))).toBe(256);
    expect(subnetSize(subnet("fd00::/64"))).toBe(2 ** 64);
    expect(formatAddress(nthAddress(subnet("10.0.0.0/16"), 258))).toBe("10.0.1.2");
    expect(formatAddress(nthAddress(subnet("fd00::/64"), 2 ** 40 + 1))).toBe("fd00::100:0:1");
    expect(offsetIn(subnet("10.0.0.0/16"), bytes("10.0.1.2"))).toBe(258);
  });

  test("a free one is far from Docker's first, and overlaps with nothing", () => {
    const first = freeSubnet([]) as Subnet;
    expect(formatSubnet(first)).toBe("172.30.0.0/16");
    const taken = [subnet("172.30.5.0/24"), subnet("172.29.0.1/32"), subnet("fd00::/8")];
    expect(formatSubnet(freeSubnet(taken) as Subnet)).toBe("172.28.0.0/16");
    expect(formatSubnet(freeSubnet([subnet("172.16.0.0/12")]) as Subnet)).toBe("192.168.208.0/20");
    expect(formatSubnet(freeSubnet([subnet("172.16.0.0/12"), subnet("192.168.0.0/16")]) as Subnet)).toBe(
      "10.201.0.0/16",
    );
    expect(freeSubnet([subnet("0.0.0.0/0")])).toBeUndefined();
    // one after the other until there are no more, all apart
    const given: Subnet[] = [];
    for (let next = freeSubnet(given); next; next = freeSubnet(given)) given.push(next);
    expect(given.length).toBeGreaterThan(60);
  });

  test("one of IPv6 is a unique local one", () => {
    const random = Uint8Array.of(1, 2, 3, 4, 5);
    expect(formatSubnet(freeSubnet6([], random))).toBe("fd01:203:405::/64");
    expect(formatSubnet(freeSubnet6([subnet("fd01:203:405::/64")], random))).toBe("fd01:203:405:1::/64");
  });
});
