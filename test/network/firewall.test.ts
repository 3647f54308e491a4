/** The rules of the firewall, by what they do to packets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  all,
  answers,
  both,
  build,
  elementsOf,
  firewall,
  hasTables,
  hold,
  holders,
  listed,
  NAMES,
  PORTS,
  type Port,
  run,
  SRC,
  serve,
  servers,
  silent,
} from "./firewall-hosts.ts";

describe.skipIf(!hasTables)("the firewall", () => {
  beforeAll(async () => {
    await Promise.all(NAMES.map(hold));
    build();
    await Promise.all(NAMES.map(serve));
    firewall(["rebuild", PORTS, true]);
  });

  afterAll(async () => {
    for (const child of [...servers, ...holders.values()]) {
      child.stdin.end();
      child.kill("SIGKILL");
      await child.exited;
    }
  });

  test("nft can read the table", () => {
    expect(listed("chain").map(({ name }) => name)).toEqual([
      "raw",
      "prerouting",
      "output",
      "postrouting",
      "forward",
    ]);
    expect(listed("set").map(({ name, elem }) => [name, elem])).toContainEqual(["internal", ["fwI"]]);
    expect(elementsOf("anyports6")).toContainEqual([
      { concat: ["tcp", 8080] },
      { concat: ["fd00:1::2", 80] },
    ]);
    expect(elementsOf("ports4")).toContainEqual([
      { concat: ["udp", "127.0.0.1", 8082] },
      { concat: ["172.30.1.2", 80] },
    ]);
  });

  test("a published port answers those outside, whose address it sees", () =>
    answers("outside", {
      ...all(both("192.0.2.1", 8080), "a1 192.0.2.2"),
      ...all(both("192.0.2.1", 8081), "b1 192.0.2.2"),
      ...all(both("2001:db8:2::1", 8080), "a1 2001:db8:2::2"),
      ...all(both("2001:db8:2::1", 8081), "b1 2001:db8:2::2"),
    }));

  test("one that is published on one address is not on the others", async () => {
    await answers("neighbour", { "tcp/192.0.3.1/8080": "a1 192.0.3.2", "tcp/192.0.3.1/8081": "refused" });
    await answers("neighbour", { "tcp/2001:db8:3::1/8081": "refused" });
  });

  test("one that is not published is the host's own", () =>
    answers("outside", { ...all(both("192.0.2.1", 80), "host 192.0.2.2"), "tcp/192.0.2.1/8084": "refused" }));

  test("the host reaches them by its own addresses and by 127.0.0.1", () =>
    answers("host", {
      ...all(both("127.0.0.1", 8080), "a1 172.30.1.1"),
      ...all(both("127.0.0.1", 8082), "a1 172.30.1.1"),
      "tcp/192.0.2.1/8080": "a1 192.0.2.1",
      "tcp/172.30.1.1/8080": "a1 172.30.1.1",
      "tcp/2001:db8:2::1/8080": "a1 2001:db8:2::1",
    }));

  test("by ::1 the host is refused at once", () => answers("host", { "tcp/::1/8080": "refused" }));

  test("a container reaches itself, its neighbours and other networks by published ports", async () => {
    await answers("a1", {
      ...all(both("192.0.2.1", 8080), "a1 172.30.1.1"),
      "tcp/2001:db8:2::1/8080": "a1 fd00:1::1",
    });
    await answers("a2", all(both("192.0.2.1", 8080), "a1 172.30.1.1"));
    await answers("a1", { "tcp/192.0.2.1/8081": "b1 172.30.2.1", "tcp/2001:db8:2::1/8081": "b1 fd00:2::1" });
  });

  test("containers of one network reach each other, those of two do not", async () => {
    await answers("a1", {
      ...all(both("172.30.1.3", 80), "a2 172.30.1.2"),
      "tcp/fd00:1::3/80": "a2 fd00:1::2",
    });
    await silent("a1", ...both("172.30.2.2", 80), ...both("fd00:2::2", 80), "tcp/172.30.3.2/80");
  });

  test("in a network that keeps its containers apart they only reach published ports", async () => {
    await silent("s1", "tcp/172.30.4.3/80", "tcp/fd00:4::3/80");
    await answers("s1", { "tcp/192.0.2.1/8083": "s2 172.30.4.1" });
  });

  test("an internal network reaches the host only, and nobody reaches it", async () => {
    await silent("i1", "tcp/192.0.2.2/80", "tcp/2001:db8:2::2/80", "tcp/192.0.2.1/8080", "tcp/172.30.1.2/80");
    await answers("i1", { "tcp/172.30.3.1/80": "host 172.30.3.2" });
    await silent("outside", "tcp/172.30.3.2/80", "tcp/fd00:3::2/80");
  });

  test("what leaves the host has the host's address", () =>
    answers("a1", {
      ...all(both("192.0.2.2", 80), "outside 192.0.2.1"),
      "tcp/2001:db8:2::2/80": "outside 2001:db8:2::1",
    }));

  test("who is outside does not reach containers by their own addresses", () =>
    silent("outside", ...both("172.30.1.2", 80), ...both("fd00:1::2", 80)));

  test("the host's loopback is its own", async () => {
    await silent("outside", ...both("127.0.0.1", 8082), ...both("127.0.0.1", 8080));
    // without the rule they would get there: the test means something
    run("host", ["nft", "flush", "chain", "inet", "mydocker", "raw"]);
    await answers("outside", { "tcp/127.0.0.1/8082": "a1 192.0.2.2" });
    firewall(["rebuild", PORTS, true]);
  });

  test("a container does not send with the address of another network", async () => {
    run("a2", ["ip", "address", "add", "172.30.2.77/32", "dev", "eth0"]);
    run("a2", [
      "ip",
      "route",
      "replace",
      "192.0.2.1",
      "via",
      "172.30.1.1",
      "dev",
      "eth0",
      "src",
      "172.30.2.77",
    ]);
    run("host", ["ip", "route", "add", "172.30.2.77", "dev", "fwA"]);
    await silent("a2", ...both("192.0.2.1", 80));
    run("host", ["nft", "flush", "chain", "inet", "mydocker", "raw"]);
    await answers("a2", { "tcp/192.0.2.1/80": "host 172.30.2.77" });
    run("a2", ["ip", "route", "del", "192.0.2.1"]);
    run("a2", ["ip", "address", "del", "172.30.2.77/32", "dev", "eth0"]);
    run("host", ["ip", "route", "del", "172.30.2.77", "dev", "fwA"]);
    firewall(["rebuild", PORTS, true]);
  });

  test("the host is a router for its neighbours only where it was one before", async () => {
    await silent("outside", "tcp/192.0.3.2/80", "tcp/2001:db8:3::2/80");
    firewall(["rebuild", PORTS, false]);
    await answers("outside", { "tcp/192.0.3.2/80": "neighbour 192.0.2.2" });
    firewall(["rebuild", PORTS, true]);
  });

  test("a policy of FORWARD that drops, until the bridges are admitted; and iptables can list it", async () => {
    const admit = (verb: string): string =>
      run("host", [
        process.execPath,
        "-e",
        `const foreign = await import("${SRC}network/foreign.ts"); foreign.${verb}(["fwA", "fwB"]);`,
      ]);
    run("host", ["iptables", "-P", "FORWARD", "DROP"]);
    await silent("outside", "tcp/192.0.2.1/8080");
    admit("admitBridges");
    admit("admitBridges");
    await answers("outside", { "tcp/192.0.2.1/8080": "a1 192.0.2.2" });
    await answers("a1", { "tcp/192.0.2.2/80": "outside 192.0.2.1" });
    const rules = run("host", ["iptables", "-S", "FORWARD"])
      .split("\n")
      .filter((line) => line !== "");
    expect(rules.toSorted()).toEqual([
      ...["-i fwA", "-i fwB", "-o fwA", "-o fwB"].map((link) => `-A FORWARD ${link} -j ACCEPT`),
      "-P FORWARD DROP",
    ]);
    admit("dismissBridges");
    expect(run("host", ["iptables", "-S", "FORWARD"]).trim()).toBe("-P FORWARD DROP");
    run("host", ["nft", "delete", "table", "ip", "filter"]);
  });

  test("ports come and go: those that lead elsewhere are replaced, those that are missing are no error", async () => {
    const port = (address: string): Port[] => [["tcp", "0.0.0.0", 9000, address, 80]];
    firewall(["publish", port("172.30.1.2")], ["publish", port("172.30.1.2")]);
    await answers("outside", { "tcp/192.0.2.1/9000": "a1 192.0.2.2" });
    firewall(["publish", port("172.30.2.2")]);
    await answers("outside", { "tcp/192.0.2.1/9000": "b1 192.0.2.2" });
    firewall(["unpublish", [...port("172.30.2.2"), ["tcp", "0.0.0.0", 9001, "172.30.1.2", 80]]]);
    await answers("outside", { "tcp/192.0.2.1/9000": "refused" });
  });

  test("2,000 ports at once", () => {
    const many = Array.from({ length: 2000 }, (_, i): Port => ["sctp", "::", 10000 + i, "fd00:1::2", i + 1]);
    const before = elementsOf("anyports6").length;
    firewall(["publish", many]);
    expect(elementsOf("anyports6").length).toBe(before + 2000);
    firewall(["unpublish", many]);
    expect(elementsOf("anyports6").length).toBe(before);
  });

  test("knows its networks, and is gone when removed, however often", () => {
    expect(firewall(["knows", "fwA"], ["knows", "fwZ"], ["remove"], ["remove"], ["knows", "fwA"])).toEqual([
      true,
      false,
      null,
      null,
      false,
    ]);
    expect(listed("table")).toEqual([]);
    expect(firewall(["rebuild", PORTS, true], ["knows", "fwA"])).toEqual([null, true]);
  });
});
