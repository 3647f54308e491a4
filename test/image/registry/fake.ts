/** A registry of our own for the tests, with faults on demand; and a folder that stands for a machine's configuration. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RegistryOptions } from "../../../src/image/registry/client.ts";
import type { Sink } from "../../../src/image/registry/download.ts";

/** What a request to the fake was. */
export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly headers: Headers;
}

export type Fault = (request: Request, url: URL) => Response | undefined | Promise<Response | undefined>;

export interface Fake {
  readonly domain: string;
  readonly seen: Seen[];
  readonly blobs: Map<string, Uint8Array>;
  /** By `repository:reference`. */
  readonly manifests: Map<string, { readonly type: string; readonly bytes: Uint8Array }>;
  /** What is asked before anything else; an answer of its own takes the registry's place. */
  fault: Fault | undefined;
  /** Requests whose path begins with that. */
  paths(method: string, start: string): string[];
  stop(): void;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A `{"errors":[…]}` answer. */
export function refused(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}

export function fakeRegistry(options: { readonly tls?: Bun.TLSOptions } = {}): Fake {
  const uploads = new Map<string, Uint8Array>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(options.tls && { tls: options.tls }),
    maxRequestBodySize: 1 << 30,
    async fetch(request) {
      const url = new URL(request.url);
      fake.seen.push({
        method: request.method,
        path: url.pathname + url.search,
        authorization: request.headers.get("authorization") ?? undefined,
        headers: request.headers,
      });
      return (await fake.fault?.(request, url)) ?? (await answer(fake, uploads, request, url));
    },
  });
  const fake: Fake = {
    domain: `${options.tls ? "localhost" : "127.0.0.1"}:${server.port}`,
    seen: [],
    blobs: new Map(),
    manifests: new Map(),
    fault: undefined,
    paths: (method, start) =>
      fake.seen.filter((one) => one.method === method && one.path.startsWith(start)).map(({ path }) => path),
    stop: () => void server.stop(true),
  };
  return fake;
}

async function answer(
  fake: Fake,
  uploads: Map<string, Uint8Array>,
  request: Request,
  url: URL,
): Promise<Response> {
  if (url.pathname === "/v2/") return new Response("{}");
  const [, repository = "", kind = "", rest = ""] =
    /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs)\/(.*)$/.exec(url.pathname) ?? [];
  if (kind === "manifests") return manifest(fake, request, repository, rest);
  if (kind === "blobs") return blob(fake, request, rest);
  if (kind === "blobs/uploads") return upload(fake, uploads, request, url, repository, rest);
  return refused(404, "NAME_UNKNOWN", "no such path");
}

async function manifest(
  fake: Fake,
  request: Request,
  repository: string,
  reference: string,
): Promise<Response> {
  if (request.method === "PUT") {
    const bytes = await request.bytes();
    const stored = { type: request.headers.get("content-type") ?? "", bytes };
    fake.manifests.set(`${repository}:${reference}`, stored);
    fake.manifests.set(`${repository}:${digestOf(bytes)}`, stored);
    return new Response(null, { status: 201, headers: { "docker-content-digest": digestOf(bytes) } });
  }
  const found = fake.manifests.get(`${repository}:${reference}`);
  if (!found) return refused(404, "MANIFEST_UNKNOWN", "manifest unknown");
  const headers = { "content-type": found.type, "docker-content-digest": digestOf(found.bytes) };
  return new Response(request.method === "HEAD" ? null : found.bytes, { headers });
}

function blob(fake: Fake, request: Request, digest: string): Response {
  const bytes = fake.blobs.get(digest);
  if (!bytes) return refused(404, "BLOB_UNKNOWN", "blob unknown to registry");
  if (request.method === "HEAD")
    return new Response(null, { headers: { "content-length": String(bytes.length) } });
  const range = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "");
  if (!range) return new Response(bytes);
  const from = Number(range[1]);
  if (from >= bytes.length) return new Response(null, { status: 416 });
  const headers = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  return new Response(bytes.subarray(from), { status: 206, headers });
}

async function upload(
  fake: Fake,
  uploads: Map<string, Uint8Array>,
  request: Request,
  url: URL,
  repository: string,
  id: string,
): Promise<Response> {
  const where = (one: string): string => `/v2/${repository}/blobs/uploads/${one}?_state=a%2Fb%3D`;
  if (request.method === "POST") {
    const mount = url.searchParams.get("mount");
    if (mount && fake.blobs.has(mount)) return new Response(null, { status: 201 });
    const made = randomBytes(4).toString("hex");
    uploads.set(made, new Uint8Array(0));
    return new Response(null, { status: 202, headers: { location: where(made) } });
  }
  const before = uploads.get(id);
  if (!before) return refused(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  const state = (status: number, length: number): Response =>
    new Response(null, {
      status,
      headers: { location: where(id), range: `0-${Math.max(length - 1, 0)}` },
    });
  if (request.method === "GET") return state(204, before.length);
  if (request.method === "DELETE") {
    uploads.delete(id);
    return new Response(null, { status: 204 });
  }
  const range = /^(\d+)-/.exec(request.headers.get("content-range") ?? "");
  if (range && Number(range[1]) !== before.length) return state(416, before.length);
  const all = Buffer.concat([before, await request.bytes()]);
  uploads.set(id, all);
  if (request.method === "PATCH") return state(202, all.length);
  const digest = url.searchParams.get("digest") ?? "";
  if (digestOf(all) !== digest) return refused(400, "DIGEST_INVALID", "provided digest did not match");
  fake.blobs.set(digest, all);
  uploads.delete(id);
  return new Response(null, { status: 201 });
}

/** A server of bare sockets: `answer` gets the head of each request and says what to do with the connection. */
export function rawServer(answer: (head: string, socket: Bun.Socket<{ text: string }>) => void): {
  readonly domain: string;
  /** Takes no more connections. */
  close(): void;
  stop(): void;
} {
  const server = Bun.listen<{ text: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { text: "" };
      },
      data(socket, bytes) {
        // the try by https comes first
        if (bytes[0] === 0x16) return void socket.end();
        socket.data.text += bytes.toString("latin1");
        const end = socket.data.text.indexOf("\r\n\r\n");
        if (end < 0) return;
        const head = socket.data.text.slice(0, end);
        socket.data.text = "";
        if (head.startsWith("GET /v2/ ")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        else answer(head, socket);
      },
    },
  });
  return { domain: `127.0.0.1:${server.port}`, close: () => server.stop(), stop: () => server.stop(true) };
}

/** No waits to speak of, but patience with a busy machine. */
const QUICK = { backoff: 1, longest: 200, stall: 5000 };
/** For servers that say nothing. */
export const IMPATIENT = { ...QUICK, stall: 150 };

/** A folder with home and etc of its own, in which nothing is configured, and no waits to speak of. */
export class Machine {
  readonly folder = mkdtempSync("/var/tmp/registry-test-");
  readonly env: Record<string, string> = {};
  readonly options: RegistryOptions;

  constructor() {
    mkdirSync(`${this.folder}/home`);
    mkdirSync(`${this.folder}/etc`);
    this.env.XDG_RUNTIME_DIR = `${this.folder}/run`;
    this.options = {
      home: `${this.folder}/home`,
      etc: `${this.folder}/etc`,
      env: this.env,
      timing: QUICK,
    };
  }

  /** Writes a file below the folder. */
  write(path: string, text: string, mode = 0o644): void {
    const whole = `${this.folder}/${path}`;
    mkdirSync(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
    writeFileSync(whole, text, { mode });
  }

  /** Logs in at a registry, by its configuration. */
  auth(domain: string, text: string): void {
    const auth = Buffer.from(text).toString("base64");
    this.write("home/.docker/config.json", JSON.stringify({ auths: { [domain]: { auth } } }));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** A sink in memory. */
export class Memory implements Sink {
  bytes = Buffer.alloc(0);
  resets = 0;

  get offset(): number {
    return this.bytes.length;
  }

  write(piece: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, piece]);
  }

  reset(): void {
    this.bytes = Buffer.alloc(0);
    this.resets++;
  }
}

/** What a promise is rejected with, as a text; "" where it is not. */
export async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}
