import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { padding, tarHeader } from "../src/image/tar/header.ts";
import { output } from "./measure.ts";

/** A layer as a file, and the digest of its plain tar. */
export interface LayerFile {
  readonly path: string;
  readonly diffId: string;
}

/** One image of an archive: its whole name, its layers from the lowest up, and what makes its configuration its own. */
export interface Wanted {
  readonly name: string;
  readonly layers: readonly LayerFile[];
  readonly created?: string;
}

const BLOCK = 512;

/** Writes the images as an archive of the kind that `docker save` makes; the layers' bytes go in as they are. */
export function makeArchive(path: string, images: readonly Wanted[]): void {
  const fd = openSync(path, "w");
  const add = (name: string, bytes: Uint8Array): void => {
    writeSync(fd, tarHeader(plainFile(name, bytes.length)));
    writeSync(fd, bytes);
    writeSync(fd, new Uint8Array(padding(bytes.length)));
  };
  const files = [...new Set(images.flatMap(({ layers }) => layers.map((layer) => layer.path)))];
  const nameOf = (layer: LayerFile): string => `layer${files.indexOf(layer.path)}.tar`;
  const entries = images.map(({ name, layers, created = "2026-01-01T00:00:00Z" }, i) => {
    const rootfs = { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) };
    const config = { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["/bin/sh"] };
    add(
      `config${i}.json`,
      Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", created, config, rootfs })),
    );
    return { Config: `config${i}.json`, RepoTags: [name], Layers: layers.map(nameOf) };
  });
  for (const [i, file] of files.entries()) add(`layer${i}.tar`, readFileSync(file));
  add("manifest.json", Buffer.from(JSON.stringify(entries)));
  writeSync(fd, new Uint8Array(2 * BLOCK));
  closeSync(fd);
}

function plainFile(name: string, size: number) {
  return { name, type: "0", mode: 0o644, uid: 0, gid: 0, size, mtime: 0n } as const;
}

/** A layer of one small file, not compressed. */
export function smallLayer(path: string, name: string): LayerFile {
  const parts = [
    tarHeader(plainFile(name, 5)),
    Buffer.from("small".padEnd(BLOCK, "\0")),
    Buffer.alloc(2 * BLOCK),
  ];
  const bytes = Buffer.concat(parts);
  writeFileSync(path, bytes);
  return { path, diffId: digestOf([bytes]) };
}

/** A layer that is there as a file, compressed with gzip or not. */
export function layerOf(path: string): LayerFile {
  const words = output({ argv: ["sh", "-c", 'gzip -dcf "$1" | sha256sum', "sh", path] });
  return { path, diffId: `sha256:${words.slice(0, 64)}` };
}

/**
 * The members of a plain tar in so many layers of about equal size, compressed as gzip does by default. A hard link comes to
 * the layer of the file that it is another name of.
 */
export function splitTar(tar: string, count: number, folder: string): LayerFile[] {
  const bytes = readFileSync(tar);
  const parts: Uint8Array[][] = Array.from({ length: count }, () => []);
  const placeOf = new Map<string, number>();
  for (const { name, link, from, to } of membersOf(bytes)) {
    const place = placeOf.get(link ?? "") ?? Math.min(count - 1, Math.floor((from / bytes.length) * count));
    placeOf.set(name, place);
    parts[place]?.push(bytes.subarray(from, to));
  }
  return parts.map((members, i) => {
    const path = `${folder}/part${i}.tar`;
    const whole = [...members, new Uint8Array(2 * BLOCK)];
    writeFileSync(path, Buffer.concat(whole));
    output({ argv: ["gzip", path] });
    return { path: `${path}.gz`, diffId: digestOf(whole) };
  });
}

interface Part {
  readonly name: string;
  /** Of a hard link, what it is another name of. */
  readonly link?: string;
  readonly from: number;
  readonly to: number;
}

/** The members of a tar, with the headers before them that say more of each (GNU's long names, pax). */
function* membersOf(tar: Uint8Array): Generator<Part> {
  const text = (at: number, length: number): string =>
    Buffer.from(tar.subarray(at, at + length))
      .toString("latin1")
      .replace(/\0.*$/s, "");
  let from = 0;
  const long: Record<string, string> = {};
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8) || 0;
    const type = text(at + 156, 1);
    const content = at + BLOCK;
    const to = content + size + padding(size);
    if (type === "L" || type === "K") long[type] = text(content, size);
    else if (type !== "x") {
      const name = long.L ?? text(at, 100);
      yield { name, ...(type === "1" && { link: long.K ?? text(at + 157, 100) }), from, to };
      delete long.L;
      delete long.K;
      from = to;
    }
    at = to;
  }
}

/** A layer of `copies` files, each what `packed` (a gzip file of whole blocks) unpacks to: gzip's members may follow each other. */
export function hugeLayer(path: string, packed: string, copies: number): LayerFile {
  const size = Number(output({ argv: ["sh", "-c", 'gzip -dc "$1" | wc -c', "sh", packed] }));
  if (size % BLOCK !== 0) throw new Error(`${packed} is no tar: ${size} bytes`);
  const content = readFileSync(packed);
  const fd = openSync(path, "w");
  for (let i = 0; i < copies; i++) {
    writeSync(fd, Bun.gzipSync(new Uint8Array(tarHeader(plainFile(`huge${i}`, size)))));
    writeSync(fd, content);
  }
  writeSync(fd, Bun.gzipSync(new Uint8Array(2 * BLOCK)));
  closeSync(fd);
  return layerOf(path);
}

function digestOf(pieces: readonly Uint8Array[]): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const piece of pieces) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}
