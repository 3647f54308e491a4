import { mkdirSync, readdirSync } from "node:fs";
import { type LayerResult, unpackLayer } from "../../../src/image/tar/layer.ts";
import { settleLayer } from "../../../src/image/tar/settle.ts";
import { close, O, open } from "../../../src/linux/file.ts";
import { mount, umount } from "../../../src/linux/mount.ts";
import { piecesOf } from "../support.ts";

/** All that lies below a folder, links not followed (as readdirSync does when it is to go down). */
export function allNames(folder: string, prefix = ""): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const name = `${prefix}${entry.name}`;
      return entry.isDirectory() ? [name, ...allNames(`${folder}/${entry.name}`, `${name}/`)] : [name];
    })
    .sort();
}

/** Runs `work` with descriptors of folders. */
export async function withFolders<T>(
  folders: readonly string[],
  work: (fds: number[]) => T | Promise<T>,
): Promise<T> {
  const fds = folders.map((folder) => open(folder, O.RDONLY | O.DIRECTORY));
  try {
    return await work(fds);
  } finally {
    for (const fd of fds) close(fd);
  }
}

/** Unpacks one layer into a new folder at `path`. */
export async function layerAt(path: string, tar: Uint8Array): Promise<LayerResult> {
  mkdirSync(path, { mode: 0o755 });
  return await withFolders([path], async ([fd = -1]) => await unpackLayer(piecesOf(tar), fd));
}

/**
 * Unpacks layers (the bottom one first) into folders `0`, `1`… of `folder`, all of them before the first is settled, with
 * the results gone through JSON; returns their paths, the top one first.
 */
export async function layersIn(folder: string, tars: readonly Uint8Array[]): Promise<string[]> {
  const paths = tars.map((_, i) => `${folder}/${i}`);
  const results: string[] = [];
  for (const [i, tar] of tars.entries()) results.push(JSON.stringify(await layerAt(paths[i] ?? "", tar)));
  for (const [i, result] of results.entries())
    await withFolders(paths.slice(0, i + 1).reverse(), ([root = -1, ...lower]) =>
      settleLayer(root, lower, JSON.parse(result) as LayerResult),
    );
  return paths.reverse();
}

/** Runs `look` with layers (the top one first) mounted as containers see them. */
export async function merged<T>(
  folder: string,
  layers: readonly string[],
  look: (root: string) => T | Promise<T>,
): Promise<T> {
  const [root, empty] = [`${folder}/merged`, `${folder}/empty`];
  for (const path of [root, empty]) mkdirSync(path);
  mount("overlay", root, "overlay", 1, `lowerdir=${[...layers, empty].join(":")}`);
  try {
    return await look(root);
  } finally {
    umount(root, 0);
  }
}
