/** Traffic between this host and servers in the networks of containers: scripts of Bun's at both ends. */
import { afterEach } from "bun:test";
import { background, ok, scratch, statusField } from "./harness.ts";
import { FETCH } from "./outside.ts";

export const SLEEP = ["busybox", "sleep", "1000"];
/** The monitor of a container, by its first process. */
export const monitorOf = (pid: number): number => Number(statusField(pid, "PPid"));

const children: Bun.Subprocess[] = [];
let folder: string | undefined;

/** To be called once at the top of a test file that has traffic, before suite(). */
export function traffic(): void {
  folder = undefined;
  afterEach(async () => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.splice(0).map((child) => child.exited));
  });
}

/** Where scripts write down what they have seen. */
export function notes(): string {
  folder ??= scratch();
  return folder;
}

/** Runs a script of Bun's, in the network of a process where one is given, until it says that it is up. */
export async function serve(script: string, pid?: number): Promise<Bun.Subprocess> {
  const enter = pid === undefined ? [] : ["nsenter", "-t", String(pid), "-n"];
  const child = Bun.spawn([...enter, process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  children.push(child);
  await child.stdout.getReader().read();
  return child;
}

/** A container with ports, and a server in its network. */
export async function withServer(
  script: string,
  options: readonly string[],
  use: (container: { name: string; pid: number; monitor: number }) => Promise<void>,
): Promise<void> {
  const { name, pid } = await background(...options, ...SLEEP);
  const server = await serve(script, pid);
  try {
    await use({ name, pid, monitor: monitorOf(pid) });
  } finally {
    server.kill("SIGKILL");
    await server.exited;
    await ok("rm", "-f", name);
  }
}

/** Runs a script of Bun's to its end; what it has printed. */
export async function run(script: string): Promise<string> {
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 40_000);
  const text = await new Response(child.stdout).text();
  clearTimeout(timer);
  return text;
}

/** What the server at ::1 says, or undefined. */
export function fetchHere(port: number, host = "[::1]", path = ""): string | undefined {
  const url = `http://${host}:${port}/${path}`;
  const { exitCode, stdout } = Bun.spawnSync([process.execPath, "-e", FETCH, url, "2"]);
  return exitCode === 0 ? stdout.toString() : undefined;
}

export const NET = `const net = require("node:net"); const up = () => process.stdout.write("up\\n");`;
export const ECHO = `${NET} net.createServer({ allowHalfOpen: true }, (s) => { s.on("error", () => {}); s.pipe(s); }).listen(80, "0.0.0.0", 4096, up);`;
export const HELLO = (host = "0.0.0.0"): string =>
  `Bun.serve({ port: 80, hostname: "${host}", fetch: (r, s) => new Response("hello " + s.requestIP(r).address) }); process.stdout.write("up\\n");`;
export const UDP_ECHO = `await Bun.udpSocket({ port: 53, hostname: "0.0.0.0", socket: { data: (s, data, port, from) => { s.send(data, port, from); } } });
  process.stdout.write("up\\n");`;

/** Sends 64 MB to a port of ::1 and takes them back, then says whether they are the same. */
export const ROUND = (port: number): string =>
  `${NET}
  const { createHash } = require("node:crypto");
  const block = crypto.getRandomValues(new Uint8Array(65536)), sent = createHash("sha256"), came = createHash("sha256");
  let left = 1024, bytes = 0;
  const s = net.connect({ host: "::1", port, allowHalfOpen: true }, () => { const go = () => {
    while (left-- > 0) { block[0] = left; const copy = Buffer.from(block); sent.update(copy); if (!s.write(copy)) return s.once("drain", go); }
    s.end(); }; go(); });
  s.on("data", (d) => { bytes += d.length; came.update(d); });
  s.on("end", () => process.stdout.write(bytes + " " + (sent.digest("hex") === came.digest("hex"))));`.replace(
    "port,",
    `port: ${port},`,
  );
