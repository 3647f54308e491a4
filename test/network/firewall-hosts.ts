/**
 * The rules of the firewall, by what they do to packets. Every part of the network is a network namespace of its own, held by
 * a process that ends with this one; what is done there is done by programs that nsenter(1) starts.
 *
 *   outside, neighbour -- host -- bridge A: a1, a2;  bridge B: b1;  bridge I (internal): i1;  bridge S (isolated): s1, s2
 */
import { expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { BRIDGE_GROUP } from "../../src/network/firewall-rules.ts";

export const SRC = new URL("../../src/", import.meta.url).pathname;

/** nft, and a kernel that has what the rules are made of (user-mode Linux has not). Our own code is not asked: it is tested. */
export const hasTables =
  process.getuid?.() === 0 &&
  spawnSync("unshare", [
    "-n",
    "nft",
    "add table inet t; add chain inet t c { type nat hook output priority 0; }; add rule inet t c fib daddr type local accept",
  ]).status === 0;

export const NAMES = ["host", "outside", "neighbour", "a1", "a2", "b1", "i1", "s1", "s2"] as const;
export type Name = (typeof NAMES)[number];
export type Holder = Bun.Subprocess<"pipe", "pipe", "inherit">;

export const holders = new Map<Name, Holder>();
export const servers: Bun.Subprocess<"pipe", "pipe", "inherit">[] = [];

/** Bridges: the number in 172.30.N.0/24 and fd00:N::/64, and who is there. */
export const BRIDGES = {
  fwA: { net: 1, ports: ["a1", "a2"] },
  fwB: { net: 2, ports: ["b1"] },
  fwI: { net: 3, ports: ["i1"] },
  fwS: { net: 4, ports: ["s1", "s2"] },
} as const;

export function enter(name: Name): string[] {
  return ["nsenter", `--net=/proc/${holders.get(name)?.pid}/ns/net`];
}

export function run(name: Name, command: readonly string[], input = ""): string {
  const [program = "", ...args] = [...enter(name), ...command];
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: "utf8" });
  if (status !== 0) throw new Error(`${name}: ${command.join(" ")}: ${stderr}`);
  return stdout;
}

export async function hold(name: Name): Promise<void> {
  // cat ends with its input, which is this process's to close
  const holder: Holder = Bun.spawn(["unshare", "-n", "sh", "-c", "echo; exec cat"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  holders.set(name, holder);
  await holder.stdout.getReader().read();
}

/** Settings that a namespace begins with: addresses of IPv6 are there at once. */
export const SYSCTLS = [
  "net.ipv6.conf.all.disable_ipv6=0",
  "net.ipv6.conf.default.disable_ipv6=0",
  "net.ipv6.conf.all.accept_dad=0",
  "net.ipv6.conf.default.accept_dad=0",
];

/** A link between the host and another, whose end is eth0 and has the addresses of a network's Nth member. */
export function connect(name: Name, four: string, six: string, gateway: readonly string[], lo = true): void {
  const lines = [
    `link set eth0 up`,
    `address add ${four} dev eth0`,
    `address add ${six} dev eth0 nodad`,
    ...(lo ? ["link set lo up"] : []),
    ...gateway.map((router) => `route add ${router} dev eth0`),
  ];
  run(name, ["ip", "-batch", "-"], lines.join("\n"));
}

export function build(): void {
  for (const name of NAMES) run(name, ["sysctl", "-q", ...SYSCTLS]);
  const pid = (name: Name): number => holders.get(name)?.pid ?? 0;
  const lines = ["link set lo up"];
  for (const [side, net] of [
    ["outside", 2],
    ["neighbour", 3],
  ] as const)
    lines.push(
      `link add ${side} type veth peer name eth0 netns ${pid(side)}`,
      `link set ${side} up`,
      `address add 192.0.${net}.1/24 dev ${side}`,
      `address add 2001:db8:${net}::1/64 dev ${side} nodad`,
    );
  for (const [bridge, { net, ports }] of Object.entries(BRIDGES)) {
    lines.push(`link add ${bridge} group ${BRIDGE_GROUP} type bridge`, `link set ${bridge} up`);
    lines.push(
      `address add 172.30.${net}.1/24 dev ${bridge}`,
      `address add fd00:${net}::1/64 dev ${bridge} nodad`,
    );
    for (const port of ports)
      lines.push(
        `link add v${port} type veth peer name eth0 netns ${pid(port)}`,
        `link set v${port} master ${bridge} up`,
        // with bridge-nf-call-iptables a container reaches itself only so: the packet leaves by the port that it came by
        `link set v${port} type bridge_slave hairpin on`,
      );
  }
  run("host", ["ip", "-batch", "-"], lines.join("\n"));
  const localnet = Object.keys(BRIDGES).map((bridge) => `net.ipv4.conf.${bridge}.route_localnet=1`);
  run("host", ["sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", ...localnet]);
  // without loopback, outside has no 127.0.0.1 of its own, and can send packets there
  connect(
    "outside",
    "192.0.2.2/24",
    "2001:db8:2::2/64",
    ["default via 192.0.2.1", "default via 2001:db8:2::1"],
    false,
  );
  run("outside", ["sysctl", "-q", "net.ipv4.conf.eth0.route_localnet=1"]);
  run("outside", ["ip", "route", "add", "127.0.0.1", "via", "192.0.2.1", "dev", "eth0"]);
  connect("neighbour", "192.0.3.2/24", "2001:db8:3::2/64", [
    "default via 192.0.3.1",
    "default via 2001:db8:3::1",
  ]);
  for (const { net, ports } of Object.values(BRIDGES))
    for (const [i, port] of ports.entries())
      connect(port, `172.30.${net}.${i + 2}/24`, `fd00:${net}::${i + 2}/64`, [
        `default via 172.30.${net}.1`,
        `default via fd00:${net}::1`,
      ]);
}

/** Answers on port 80, by TCP and UDP, with its name and whom it sees. */
export const SERVER = `
  const name = process.argv.at(-1);
  const seen = (address) => name + " " + address.replace("::ffff:", "");
  require("node:net").createServer((socket) => {
    socket.on("error", () => {});
    socket.end(seen(socket.remoteAddress));
  }).listen(80, "::", () => {
    const udp = require("node:dgram").createSocket({ type: "udp6" });
    udp.on("message", (_, from) => udp.send(seen(from.address), from.port, from.address));
    udp.bind(80, "::", () => console.log("ready"));
  });
  process.stdin.on("end", () => process.exit()).resume();`;

export async function serve(name: Name): Promise<void> {
  const server = Bun.spawn([...enter(name), process.execPath, "-e", SERVER, name], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  servers.push(server);
  await server.stdout.getReader().read();
}

/** Asks all of `protocol/host/port` at once; prints what each answered: text, "refused", or "" where nothing came. */
export const CLIENT = `
  const [wait, ...targets] = process.argv.slice(1);
  const ask = (target) => new Promise((resolve) => {
    const [protocol, host, port] = target.split("/");
    setTimeout(() => resolve(""), Number(wait));
    if (protocol === "tcp") {
      const socket = require("node:net").connect(Number(port), host);
      socket.on("data", (data) => resolve(String(data)));
      socket.on("error", ({ code }) => resolve(code === "ECONNREFUSED" ? "refused" : ""));
    } else {
      const socket = require("node:dgram").createSocket(host.includes(":") ? "udp6" : "udp4");
      socket.on("message", (data) => resolve(String(data)));
      socket.on("error", () => resolve(""));
      socket.send("?", Number(port), host, (error) => error && resolve(""));
    }
  });
  console.log(JSON.stringify(await Promise.all(targets.map(ask))));
  process.exit();`;

export async function ask(from: Name, targets: readonly string[], wait: number): Promise<string[]> {
  const client = Bun.spawn([...enter(from), process.execPath, "-e", CLIENT, String(wait), ...targets], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return JSON.parse(await new Response(client.stdout).text());
}

/** Expects each target to answer so. */
export async function answers(from: Name, wanted: Readonly<Record<string, string>>): Promise<void> {
  const targets = Object.keys(wanted);
  const got = await ask(from, targets, 5000);
  expect(Object.fromEntries(targets.map((target, i) => [target, got[i]]))).toEqual(wanted);
}

/** Expects none to let anything back. */
export async function silent(from: Name, ...targets: string[]): Promise<void> {
  const got = await ask(from, targets, 400);
  expect(Object.fromEntries(targets.map((target, i) => [target, got[i]]))).toEqual(
    Object.fromEntries(targets.map((target) => [target, ""])),
  );
}

export type Port = readonly [protocol: string, host: string, hostPort: number, address: string, port: number];
export type Act =
  | readonly ["rebuild", ports: readonly Port[], guard: boolean]
  | readonly ["publish" | "unpublish", ports: readonly Port[]]
  | readonly ["knows", bridge: string]
  | readonly ["remove"];

export const NETWORKS = Object.entries(BRIDGES).map(([bridge, { net }]) => ({
  bridge,
  subnets: [`172.30.${net}.0/24`, `fd00:${net}::/64`],
  internal: bridge === "fwI",
  masquerade: true,
  isolateContainers: bridge === "fwS",
}));

export const FIREWALL = `
  const { Firewall } = await import("${SRC}network/firewall.ts");
  const { parseAddress, parseSubnet } = await import("${SRC}network/address.ts");
  const [networks, acts] = JSON.parse(process.argv.at(-1));
  const full = networks.map((one) => ({ ...one, subnets: one.subnets.map(parseSubnet) }));
  const portsOf = (ports) => ports.map(([protocol, host, hostPort, address, port]) =>
    ({ protocol, hostAddress: parseAddress(host), hostPort, address: parseAddress(address), port }));
  const firewall = new Firewall("mydocker");
  const results = acts.map(([act, what, guard]) => {
    if (act === "knows") return firewall.knows(what);
    if (act === "remove") firewall.remove();
    else if (act === "rebuild") firewall.rebuild(full, portsOf(what), guard ? [4, 6] : []);
    else firewall[act](portsOf(what));
    return null;
  });
  firewall.close();
  console.log(JSON.stringify(results));`;

export function firewall(...acts: Act[]): unknown[] {
  return JSON.parse(run("host", [process.execPath, "-e", FIREWALL, JSON.stringify([NETWORKS, acts])]));
}

/** What nft reads of our table: the items of a kind. */
export function listed(kind: string): Record<string, unknown>[] {
  const { nftables } = JSON.parse(run("host", ["nft", "-j", "list", "ruleset"]));
  return nftables.flatMap((one: Record<string, Record<string, unknown>>) => one[kind] ?? []);
}

export function elementsOf(map: string): unknown[] {
  const found = listed("map").find((one) => one.name === map);
  return (found?.elem as unknown[] | undefined) ?? [];
}

/** Everything that is published in these tests, for both families and protocols. */
export const PORTS: readonly Port[] = (["tcp", "udp"] as const).flatMap((protocol): Port[] => [
  [protocol, "0.0.0.0", 8080, "172.30.1.2", 80],
  [protocol, "::", 8080, "fd00:1::2", 80],
  [protocol, "192.0.2.1", 8081, "172.30.2.2", 80],
  [protocol, "2001:db8:2::1", 8081, "fd00:2::2", 80],
  [protocol, "127.0.0.1", 8082, "172.30.1.2", 80],
  [protocol, "0.0.0.0", 8083, "172.30.4.3", 80],
]);
export const both = (host: string, port: number): string[] => [`tcp/${host}/${port}`, `udp/${host}/${port}`];
export const all = (targets: readonly string[], answer: string): Record<string, string> =>
  Object.fromEntries(targets.map((target) => [target, answer]));
