import { isErrno } from "../../linux/errno.ts";
import { close, O, RESOLVE } from "../../linux/file.ts";
import { S_IFDIR, S_IFMT } from "../../linux/stat.ts";
import { type Member, openFolderBeneath, openName, readNames, statName } from "../../linux/tree.ts";
import { readXattr } from "../../linux/xattr.ts";
import { isWhiteout } from "./layer-form.ts";
import { splitPath } from "./member-path.ts";
import { OVERLAY_OPAQUE } from "./xattr-policy.ts";

/** What lies at a path of the merged layers, and the layer it is of. */
export interface Found {
  readonly layer: number;
  readonly stat: Member;
}

/**
 * Layers as overlayfs would show them merged (filesystems/overlayfs), the top one first, looked up without mounting
 * them: links are never followed, whiteouts and opaque folders count at each step of the way down.
 */
export class LowerLayers {
  /** Which layers a folder of that path is merged from, the top one first. */
  readonly #folders = new Map<string, readonly number[]>();

  constructor(layers: readonly number[]) {
    // the kernel takes the roots of all layers, be they marked opaque or not
    this.#folders.set("", layers);
  }

  /** What is seen at `path` (plain, a byte string); undefined where nothing is. */
  find(path: string): Found | undefined {
    if (path === "") return this.#first(this.#layersOf(""), "");
    return this.#first(this.#layersOf(splitPath(path)[0]), path);
  }

  /** The names that are seen in the root. */
  rootNames(): string[] {
    const names = new Set<string>();
    for (const layer of this.#layersOf("")) {
      const fd = openName(layer, ".", O.RDONLY | O.DIRECTORY);
      try {
        for (const name of readNames(fd)) names.add(name);
      } finally {
        close(fd);
      }
    }
    return [...names].filter((name) => this.find(name) !== undefined);
  }

  #first(layers: readonly number[], path: string): Found | undefined {
    for (const layer of layers) {
      const stat = look(layer, path);
      if (stat !== undefined) return isWhiteout(stat) ? undefined : { layer, stat };
    }
    return undefined;
  }

  #layersOf(folder: string): readonly number[] {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const merged: number[] = [];
    for (const layer of this.#layersOf(splitPath(folder)[0])) {
      const stat = look(layer, folder);
      if (stat === undefined) continue;
      if ((stat.mode & S_IFMT) !== S_IFDIR) break;
      merged.push(layer);
      if (isOpaque(layer, folder)) break;
    }
    this.#folders.set(folder, merged);
    return merged;
  }
}

/** What one layer itself has at `path`. */
function look(layer: number, path: string): Member | undefined {
  const [folder, name] = splitPath(path);
  try {
    const dirfd = openPlain(layer, folder);
    try {
      return statName(dirfd, name);
    } finally {
      close(dirfd);
    }
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

function isOpaque(layer: number, folder: string): boolean {
  const fd = openPlain(layer, folder);
  try {
    return readXattr([fd, "."], OVERLAY_OPAQUE) === "y";
  } finally {
    close(fd);
  }
}

/** A folder by a path without links in it; "" is the root. */
export function openPlain(root: number, path: string): number {
  return openFolderBeneath(root, path === "" ? "." : path, RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS);
}
