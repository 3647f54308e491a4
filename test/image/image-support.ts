import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type Loaded, type LoadOptions, loadImages } from "../../src/image/archive/load.ts";
import { MEDIA } from "../../src/image/document.ts";
import type { Store } from "../../src/image/install.ts";
import { SILENT } from "../../src/image/progress.ts";
import { digestOf } from "../../src/image/read-blob.ts";
import { inFolder, type Part, tarOf } from "./support.ts";

/** A store in a folder of its own. */
export interface Scratch extends Store {
  readonly folder: string;
  /** What lies in a folder of the store, by name. */
  list(path: string): string[];
}

export async function withStore(work: (store: Scratch) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const root = `${folder}/root`;
    mkdirSync(root);
    const list = (path: string): string[] =>
      existsSync(`${root}/${path}`) ? readdirSync(`${root}/${path}`).sort() : [];
    await work({ folder, root, run: `${folder}/run`, inUse: () => new Set(), list });
  });
}

export function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** An image as its documents say it, to be changed before it is made an archive. */
export interface Made {
  readonly config: Record<string, unknown>;
  readonly layers: readonly Uint8Array[];
}

/** An image of these layers, the lowest first. */
export function imageOf(...layers: readonly Uint8Array[]): Made {
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    created: "2024-01-02T03:04:05Z",
    config: { Cmd: ["/bin/sh"], Env: ["A=B"] },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
    history: layers.map((_, i) => ({ created: "2024-01-02T03:04:05Z", created_by: `step ${i}` })),
  };
  return { config, layers };
}

export function describe(mediaType: string, bytes: Uint8Array): Record<string, unknown> {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

export function manifestOf(config: Uint8Array, layers: readonly Uint8Array[]): Record<string, unknown> {
  return {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: describe(MEDIA.ociConfig, config),
    layers: layers.map((layer) => describe(MEDIA.ociLayer, layer)),
  };
}

export function blob(bytes: Uint8Array): Part {
  return { name: `blobs/sha256/${digestOf(bytes).slice("sha256:".length)}`, data: bytes };
}

/** The members of an OCI archive of one image, under a name. */
export function ociParts({ config, layers }: Made, name = "docker.io/library/x:latest"): Part[] {
  const configBytes = bytesOf(config);
  const manifest = bytesOf(manifestOf(configBytes, layers));
  const top = {
    ...describe(MEDIA.ociManifest, manifest),
    annotations: { "io.containerd.image.name": name },
  };
  return [
    { name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", data: bytesOf({ schemaVersion: 2, manifests: [top] }) },
    ...[configBytes, manifest, ...layers].map(blob),
  ];
}

/** Those of a docker-archive. */
export function dockerParts({ config, layers }: Made, name = "x:latest"): Part[] {
  const names = layers.map((_, i) => `${i}/layer.tar`);
  return [
    { name: "manifest.json", data: bytesOf([{ Config: "c.json", RepoTags: [name], Layers: names }]) },
    { name: "c.json", data: bytesOf(config) },
    ...layers.map((data, i) => ({ name: `${i}/layer.tar`, data })),
  ];
}

/** Loads an archive, and returns what was loaded. */
export async function loadBytes(
  store: Scratch,
  archive: Uint8Array,
  options: Partial<LoadOptions> = {},
): Promise<Loaded[]> {
  const path = `${store.folder}/archive`;
  writeFileSync(path, archive);
  const fd = openSync(path, "r");
  const loaded: Loaded[] = [];
  try {
    await loadImages(store, fd, { progress: SILENT, loaded: (one) => loaded.push(one), ...options });
  } finally {
    closeSync(fd);
    rmSync(path);
  }
  return loaded;
}

/** The same for members. */
export async function load(store: Scratch, parts: readonly Part[]): Promise<Loaded[]> {
  return await loadBytes(store, tarOf(...parts));
}

/** The message with which something fails; fails itself where it does not. */
export async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  throw new Error("it did not fail");
}
