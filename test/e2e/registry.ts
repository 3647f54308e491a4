/** Debian's docker-registry on a free port of loopback, and a proxy before it that can do all that goes wrong on a way. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { makeAuthority } from "../image/registry/authority.ts";
import { answers, freePort } from "../image/registry/loopback.ts";
import { describeWhere, SLOW, until } from "./harness.ts";

const MISSING = ["docker-registry", "htpasswd", "openssl", "skopeo", "umoci"].filter(
  (name) => !Bun.which(name),
);

/** A group of tests that needs registries, skopeo or umoci; in the virtual machine they would take too long. */
export function describeWithRegistry(name: string, body: () => void): void {
  const reason = SLOW ? "it would take too long here" : `${MISSING.join(", ")} not installed`;
  describeWhere(MISSING.length === 0 && !SLOW, reason, name, body);
}

export interface Registry {
  /** With its port, as users name it. */
  readonly domain: string;
  /** PEM file of the CA that signed its certificate, where it has one. */
  readonly ca: string;
  stop(): Promise<void>;
}

/** Starts one with its data in the (empty) folder; `me` with the password `right` where it asks for one. */
export async function startRegistry(folder: string, kind: "plain" | "password" | "tls"): Promise<Registry> {
  const port = await freePort();
  mkdirSync(`${folder}/data`);
  if (kind === "tls") makeAuthority(folder);
  if (kind === "password")
    writeFileSync(`${folder}/htpasswd`, Bun.spawnSync(["htpasswd", "-Bbn", "me", "right"]).stdout);
  const tls = { certificate: `${folder}/server.crt`, key: `${folder}/server.key` };
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: `${folder}/data` } },
    http: { addr: `127.0.0.1:${port}`, ...(kind === "tls" && { tls }) },
    ...(kind === "password" && { auth: { htpasswd: { realm: "tests", path: `${folder}/htpasswd` } } }),
  };
  // JSON is YAML
  writeFileSync(`${folder}/config.yml`, JSON.stringify(config));
  const child = Bun.spawn(["docker-registry", "serve", `${folder}/config.yml`], {
    stdout: "ignore",
    stderr: Bun.file(`${folder}/log`),
  });
  await until(() => {
    if (child.exitCode !== null) throw new Error(readFileSync(`${folder}/log`, "utf8"));
    return answers(port);
  }, "the registry");
  const stop = async (): Promise<void> => {
    child.kill();
    await child.exited;
  };
  return { domain: `${kind === "tls" ? "localhost" : "127.0.0.1"}:${port}`, ca: `${folder}/ca.crt`, stop };
}

/** What a request through the proxy was, and what came back. */
export interface Passed {
  readonly method: string;
  readonly path: string;
  /** Where a Range header asked to go on. */
  readonly from: number;
  /** Bytes of the answer's body that were passed on. */
  bytes: number;
}

/**
 * What is done to a request: answered in the registry's place; its answer cut, stalled or changed after so many bytes, or
 * passed on slowly, with so many ms before each piece; it is itself cut after so many bytes of its body, or never passed on.
 */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | { readonly cut: number }
  | { readonly stall: number }
  | { readonly corrupt: number }
  | { readonly slow: number }
  | { readonly sever: number }
  | { readonly hold: true };

export interface Way {
  readonly domain: string;
  readonly passed: Passed[];
  /** Asked about each request; nothing is done without one. */
  fault: ((request: Passed) => Fault | undefined) | undefined;
  /** GETs of blobs, those that were answered with an error left out. */
  blobs(): Passed[];
  stop(): void;
}

/** A proxy before a plain registry. Each connection carries one request. */
export async function startProxy(to: Registry): Promise<Way> {
  const port = Number(to.domain.split(":")[1]);
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    sockets.add(client);
    client.on("close", () => sockets.delete(client));
    client.on("error", () => client.destroy());
    readHead(client, (head, rest) => {
      const request = passedOf(head);
      proxy.passed.push(request);
      const fault = proxy.fault?.(request);
      if (fault !== undefined && "status" in fault) return void client.end(answerOf(fault));
      // what it sends is read, or it would not see our end
      if (fault !== undefined && "hold" in fault) return void client.resume();
      forward(client, connect(port, "127.0.0.1"), head, rest, request, fault);
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const proxy: Way = {
    domain: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed: [],
    fault: undefined,
    blobs: () => proxy.passed.filter(({ method, path }) => method === "GET" && path.includes("/blobs/")),
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return proxy;
}

function readHead(socket: Socket, done: (head: string, rest: Buffer) => void): void {
  let text = Buffer.alloc(0);
  const take = (bytes: Buffer): void => {
    // a try by https, which comes first
    if (text.length === 0 && bytes[0] === 0x16) return void socket.destroy();
    text = Buffer.concat([text, bytes]);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    socket.off("data", take);
    socket.pause();
    done(text.toString("latin1", 0, end), text.subarray(end + 4));
  };
  socket.on("data", take);
}

function passedOf(head: string): Passed {
  const [method = "", path = ""] = head.split(" ");
  const from = Number(/^range: bytes=(\d+)-/im.exec(head)?.[1] ?? 0);
  return { method, path, from, bytes: 0 };
}

function answerOf({ status, headers = {}, body = "" }: Extract<Fault, { status: number }>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Fault\r\nContent-Length: ${body.length}\r\nConnection: close\r\n${lines.join("")}\r\n${body}`;
}

/** Sends the request on, for one answer, and passes that back with what the fault does to it. */
function forward(
  client: Socket,
  up: Socket,
  head: string,
  rest: Buffer,
  request: Passed,
  fault: Exclude<Fault, { status: number } | { hold: true }> | undefined,
): void {
  up.on("error", () => client.destroy());
  client.on("close", () => up.destroy());
  up.write(`${head.replace(/\r\nconnection: [^\r]*/i, "")}\r\nConnection: close\r\n\r\n`, "latin1");
  up.write(rest);
  client.pipe(up);
  if (fault && "sever" in fault) {
    let sent = rest.length;
    client.on("data", (bytes: Buffer) => {
      sent += bytes.length;
      if (sent >= fault.sever) client.destroy();
    });
  }
  readHead(up, (answer, first) => {
    client.write(`${answer}\r\n\r\n`, "latin1");
    const take = (bytes: Buffer): void => {
      const at = request.bytes;
      const most = fault && "cut" in fault ? fault.cut : fault && "stall" in fault ? fault.stall : undefined;
      const piece = most === undefined ? bytes : bytes.subarray(0, Math.max(most - at, 0));
      request.bytes += piece.length;
      if (fault && "corrupt" in fault && at <= fault.corrupt && fault.corrupt < at + piece.length)
        piece[fault.corrupt - at] = (piece[fault.corrupt - at] ?? 0) ^ 1;
      if (piece.length > 0 && !client.write(piece)) {
        up.pause();
        client.once("drain", () => up.resume());
      }
      if (fault && "slow" in fault) {
        up.pause();
        setTimeout(() => up.resume(), fault.slow);
      }
      if (most === undefined || request.bytes < most) return;
      if (fault && "cut" in fault) client.end();
      up.pause();
    };
    up.on("data", take);
    up.on("end", () => client.end());
    if (first.length > 0) take(first);
    up.resume();
  });
}
