/** Images made by hand, byte by byte, and put into a registry without any engine. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type Pack, pack } from "tar-stream";
import { scratch } from "./harness.ts";

export const TYPES = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  plain: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
};

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

const BUSYBOX = readFileSync("/bin/busybox");
const APPLETS = [
  "sh",
  "cat",
  "ls",
  "true",
  "stat",
  "find",
  "id",
  "sleep",
  "env",
  "wc",
  "pwd",
  "echo",
  "touch",
];

/** A tar of what `fill` puts into it. */
export async function tarOf(fill: (tar: Pack) => void): Promise<Buffer> {
  const tar = pack();
  fill(tar);
  tar.finalize();
  return Buffer.from(await new Response(tar as unknown as ReadableStream).arrayBuffer());
}

/** A layer with busybox and its usual names. */
export function baseTar(more: (tar: Pack) => void = () => {}): Promise<Buffer> {
  return tarOf((tar) => {
    tar.entry({ name: "./", type: "directory", mode: 0o755 });
    tar.entry({ name: "bin/", type: "directory", mode: 0o755 });
    tar.entry({ name: "bin/busybox", mode: 0o755 }, BUSYBOX);
    for (const name of APPLETS) tar.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox" });
    tar.entry({ name: "etc/", type: "directory", mode: 0o755 });
    tar.entry({ name: "etc/passwd" }, "root:x:0:0::/root:/bin/sh\nme:x:1234:567::/home/me:/bin/sh\n");
    tar.entry({ name: "tmp/", type: "directory", mode: 0o1777 });
    more(tar);
  });
}

/** A layer with one file. */
export function fileTar(name: string, content: string | Buffer): Promise<Buffer> {
  return tarOf((tar) => tar.entry({ name, mtime: new Date(0) }, content));
}

/** A blob that is to be in the registry, with its descriptor's fields. */
export interface Part {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export function part(mediaType: string, bytes: Uint8Array): Part {
  return { bytes, mediaType, digest: digestOf(bytes), size: bytes.length };
}

export function layerOf(tar: Uint8Array, how: "plain" | "gzip" | "zstd" = "gzip"): Part {
  if (how === "plain") return part(TYPES.plain, tar);
  return part(TYPES[how], how === "gzip" ? gzipSync(tar, { level: 1 }) : Bun.zstdCompressSync(tar));
}

export interface Made {
  readonly config: Part;
  readonly layers: readonly Part[];
  readonly manifest: Part;
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export const descriptor = ({ mediaType, digest, size }: Part): object => ({ mediaType, digest, size });

/** An image of plain tars, the lowest first. */
export function makeImage(
  tars: readonly Uint8Array[],
  config: object = {},
  options: {
    readonly how?: "plain" | "gzip" | "zstd";
    readonly layers?: readonly Part[];
    readonly document?: object;
  } = {},
): Made {
  const layers = options.layers ?? tars.map((tar) => layerOf(tar, options.how));
  const document = part(
    TYPES.config,
    json({
      created: "2024-01-02T03:04:05Z",
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["/bin/sh"], ...config },
      rootfs: { type: "layers", diff_ids: tars.map(digestOf) },
      history: tars.map((_, i) => ({ created: "2024-01-02T03:04:05Z", created_by: `step ${i}` })),
      ...options.document,
    }),
  );
  const text = {
    schemaVersion: 2,
    mediaType: TYPES.manifest,
    config: descriptor(document),
    layers: layers.map(descriptor),
  };
  return { config: document, layers, manifest: part(TYPES.manifest, json(text)) };
}

/** Puts bytes into a registry as a blob of a repository. */
export async function putBlob(domain: string, repository: string, { bytes, digest }: Part): Promise<void> {
  const begun = await fetch(`http://${domain}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const place = new URL(begun.headers.get("location") ?? "", `http://${domain}`);
  place.searchParams.set("digest", digest);
  const done = await fetch(place, { method: "PUT", body: bytes });
  if (done.status !== 201) throw new Error(`PUT ${place}: ${done.status} ${await done.text()}`);
}

export async function putManifest(
  domain: string,
  repository: string,
  reference: string,
  { bytes, mediaType }: Part,
): Promise<void> {
  const url = `http://${domain}/v2/${repository}/manifests/${reference}`;
  const done = await fetch(url, { method: "PUT", body: bytes, headers: { "content-type": mediaType } });
  if (done.status !== 201) throw new Error(`PUT ${url}: ${done.status} ${await done.text()}`);
}

/** Puts an image into a registry; returns its manifest's digest. */
export async function putImage(domain: string, name: string, made: Made): Promise<string> {
  const [repository = "", tag = "latest"] = name.split(":");
  for (const one of [made.config, ...made.layers]) await putBlob(domain, repository, one);
  await putManifest(domain, repository, tag, made.manifest);
  return made.manifest.digest;
}

/** An OCI layout in a new folder, with images by their tags. */
export function layoutOf(images: Readonly<Record<string, Made>>): string {
  const folder = scratch();
  mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
  for (const { config, layers, manifest } of Object.values(images))
    for (const { digest, bytes } of [config, manifest, ...layers])
      writeFileSync(`${folder}/blobs/sha256/${digest.slice(7)}`, bytes);
  const manifests = Object.entries(images).map(([tag, { manifest }]) => ({
    ...descriptor(manifest),
    annotations: { "org.opencontainers.image.ref.name": tag },
  }));
  writeFileSync(`${folder}/index.json`, json({ schemaVersion: 2, manifests }));
  writeFileSync(`${folder}/oci-layout`, json({ imageLayoutVersion: "1.0.0" }));
  return folder;
}
