/** Who a container is for the others on its networks: its addresses are its own, and its names are known. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { loadPacketProgram } from "../../src/linux/bpf.ts";
import { close } from "../../src/linux/file.ts";
import { guardProgram } from "../../src/network/guard.ts";
import { background, describeWhere, fails, mydocker, ok, quietly, suite, until } from "./harness.ts";
import { addressOf, withNetwork } from "./networks.ts";

suite();
const SLEEP = ["busybox", "sleep", "1000"];
const inspect = (name: string, path: string): Promise<string> => ok("inspect", "-f", `{{${path}}}`, name);
const pings = async (name: string, address: string): Promise<boolean> =>
  (await mydocker(["exec", name, "ping", "-c1", "-W1", address])).code === 0;

const GUARD = quietly(() => {
  close(loadPacketProgram(guardProgram({ mac: new Uint8Array(6), addresses: [new Uint8Array(4)] })));
  return true;
}, false);

describeWhere(GUARD, "no eBPF for packets here", "what comes from a container is its own", () => {
  /** How many pings have come in the namespace of a process. */
  const echoes = (pid: number): number => {
    const [, counts = ""] =
      readFileSync(`/proc/${pid}/net/snmp`, "utf8").match(/^Icmp: [^\n]*\nIcmp: (.*)$/m) ?? [];
    return Number(counts.split(" ")[8]);
  };
  const enter = (pid: number, ...command: string[]): boolean =>
    Bun.spawnSync(["nsenter", "-t", String(pid), "-n", ...command]).success;

  test("neither a neighbour's address, nor one that nobody has", async () => {
    const [evil, other, victim] = await Promise.all([
      background(...SLEEP),
      background(...SLEEP),
      background(...SLEEP),
    ]);
    const to = await addressOf(victim.name);
    const own = await addressOf(evil.name);
    // or it would ask for the other one's MAC with the address that it has not, and wait
    expect(await pings(evil.name, to)).toBe(true);
    for (const taken of [await addressOf(other.name), "10.9.9.9"]) {
      const before = echoes(victim.pid);
      expect(enter(evil.pid, "ip", "addr", "add", `${taken}/32`, "dev", "eth0")).toBe(true);
      expect(enter(evil.pid, "busybox", "ping", "-c1", "-W1", "-I", taken, to)).toBe(false);
      expect(echoes(victim.pid)).toBe(before);
      // nor is it heard when it says that the address is there
      enter(evil.pid, "busybox", "arping", "-c2", "-w1", "-U", "-I", "eth0", "-s", taken, to);
      const mac = await ok("exec", evil.name, "cat", "/sys/class/net/eth0/address");
      const seen = Bun.spawnSync([
        "nsenter",
        "-t",
        String(victim.pid),
        "-n",
        "ip",
        "neigh",
        "show",
        taken,
      ]).stdout.toString();
      expect(seen).not.toContain(mac);
      expect(enter(evil.pid, "ip", "addr", "del", `${taken}/32`, "dev", "eth0")).toBe(true);
      expect(enter(evil.pid, "busybox", "ping", "-c1", "-W1", "-I", own, to)).toBe(true);
      expect(echoes(victim.pid)).toBe(before + 1);
    }
  });

  test("no other MAC address", async () => {
    const [evil, victim] = await Promise.all([background(...SLEEP), background(...SLEEP)]);
    const to = await addressOf(victim.name);
    expect(await pings(evil.name, to)).toBe(true);
    expect(enter(evil.pid, "ip", "link", "set", "eth0", "address", "02:00:00:00:00:66")).toBe(true);
    expect(await pings(evil.name, to)).toBe(false);
  });

  test("the same for IPv6, also where it says that it has a neighbour's address", async () => {
    await withNetwork(
      async (network) => {
        const [evil, victim] = await Promise.all([
          background("--network", network, ...SLEEP),
          background("--network", network, "--ip6", "fd00:66::99", ...SLEEP),
        ]);
        expect(await pings(evil.name, "fd00:66::99")).toBe(true);
        expect(enter(evil.pid, "ip", "-6", "addr", "add", "fd00:66::77/64", "dev", "eth0", "nodad")).toBe(
          true,
        );
        expect(
          enter(evil.pid, "busybox", "ping", "-6", "-c1", "-W1", "-I", "fd00:66::77", "fd00:66::99"),
        ).toBe(false);
        // who asks for it gets no answer
        expect(await pings(victim.name, "fd00:66::77")).toBe(false);
      },
      ...["--ipv6", "--subnet", "fd00:66::/64"],
    );
  });
});

describe("names", () => {
  test("are known by name, id and alias, and kept up to date as others come and go", async () => {
    await withNetwork(async (network) => {
      const one = await background("--network", network, ...SLEEP);
      const hosts = (): Promise<string> => ok("exec", one.name, "cat", "/etc/hosts");
      await ok("exec", one.name, "sh", "-c", "echo '192.0.2.9 mine' >> /etc/hosts");
      const other = await background("--network", network, "--network-alias", "db", ...SLEEP);
      expect(await hosts()).toContain(`${other.name} ${other.id}\n`);
      for (const known of [other.name, "db"]) expect(await pings(one.name, known)).toBe(true);
      expect(await pings(other.name, one.name)).toBe(true);
      await ok("stop", "-t", "0", other.name);
      expect(await hosts()).not.toContain("db");
      await ok("start", other.name);
      expect(await pings(one.name, "db")).toBe(true);
      process.kill(Number(await inspect(other.name, ".State.Pid")), "SIGKILL");
      await until(async () => !(await hosts()).includes("db"), "its name to be gone");
      expect(await hosts()).toContain("192.0.2.9 mine");
    });
  });

  test("--add-host, --dns and its options", async () => {
    const args = [
      "--add-host",
      "box:192.0.2.5",
      "--add-host",
      "six=[2001:db8::5]",
      "--add-host",
      "gw:host-gateway",
    ];
    const hosts = await ok("run", "--rm", ...args, "busybox", "cat", "/etc/hosts");
    expect(hosts).toContain("192.0.2.5\tbox\n");
    expect(hosts).toContain("2001:db8::5\tsix\n");
    expect(hosts).toMatch(/^172\.[0-9]+\.0\.1\tgw$/m);
    const dns = ["--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:2"];
    expect(await ok("run", "--rm", ...dns, "busybox", "cat", "/etc/resolv.conf")).toBe(
      "nameserver 192.0.2.53\nsearch example.org\noptions ndots:2",
    );
    await fails(125, /bad format for add-host/, "run", "--add-host", "nonsense", ...SLEEP);
    await fails(125, /not an ip address/, "run", "--dns", "nonsense", ...SLEEP);
  });

  test("of the host's resolvers those that can be reached", async () => {
    const host = readFileSync("/etc/resolv.conf", "utf8");
    const seen = await ok("run", "--rm", "busybox", "cat", "/etc/resolv.conf");
    for (const [, server = ""] of host.matchAll(/^nameserver (\S+)/gm))
      expect(seen.includes(`nameserver ${server}`)).toBe(!server.startsWith("127."));
  });
});
