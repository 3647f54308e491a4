import { isOpaque, isWhiteout } from "../image/tar/layer-form.ts";
import { isErrno } from "../linux/errno.ts";
import { close, O, open } from "../linux/file.ts";
import { S_IFDIR, S_IFMT } from "../linux/stat.ts";
import { type Member, openName, readable, readNames, statIfAny, statName } from "../linux/tree.ts";
import { readXattrs } from "../linux/xattr.ts";
import { ownPlaces } from "./own-places.ts";
import type { Paths } from "./paths.ts";
import { findId, readRecord } from "./store.ts";
import { withView } from "./view.ts";

/** What has become of a file that the image has, or has not. */
export interface Change {
  readonly kind: "A" | "C" | "D";
  /** From the container's root, `/etc/passwd`. */
  readonly path: string;
}

/**
 * `diff`: what a container has added, changed and deleted, by its own layer over its image's. Links are never followed. A
 * folder is changed where something in it is. Places that the engine made to mount something there are left out.
 */
export function containerChanges(paths: Paths, reference: string): Promise<Change[]> {
  const record = readRecord(paths, findId(paths, reference));
  return withView(paths, record, "diff", (view) => {
    const lower = record.layers.map((layer) => open(layer, O.PATH | O.DIRECTORY));
    try {
      const walk = new Walk(new Set(ownPlaces(record)));
      walk.folder(view.upper(), lower, "");
      return walk.changes.sort((a, b) => (a.path < b.path ? -1 : 1));
    } finally {
      for (const fd of lower) close(fd);
    }
  });
}

function isDirectory({ mode }: Member): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

class Walk {
  readonly changes: Change[] = [];
  constructor(private readonly places: ReadonlySet<string>) {}

  /** The folder open on `upper` over the same in the layers that have it, the top one first; whether anything in it counts. */
  folder(upper: number, lower: readonly number[], path: string): boolean {
    const fd = openName(upper, ".", O.RDONLY | O.DIRECTORY);
    try {
      let counts = false;
      const names = readNames(fd);
      for (const name of names) counts = this.member(fd, name, lower, `${path}/${name}`) || counts;
      return counts || names.length === 0;
    } finally {
      close(fd);
    }
  }

  private member(upper: number, name: string, lower: readonly number[], path: string): boolean {
    const stat = statName(upper, name);
    const below = this.below(lower, name);
    const shown = readable(path);
    if (isWhiteout(stat)) {
      if (below.length > 0) this.changes.push({ kind: "D", path: shown });
      return true;
    }
    const kind = below.length > 0 ? "C" : "A";
    if (!isDirectory(stat)) {
      if (stat.size === 0 && this.places.has(shown)) return false;
      this.changes.push({ kind, path: shown });
      return true;
    }
    const hides = isOpaque(readXattrs([upper, name]));
    const merged = !hides && below[0] && isDirectory(below[0]) ? openAll(lower, name) : [];
    const folder = openName(upper, name, O.PATH | O.DIRECTORY | O.NOFOLLOW);
    try {
      return this.inner(folder, merged, { kind, path: shown }, path);
    } finally {
      for (const fd of [folder, ...merged]) close(fd);
    }
  }

  private inner(folder: number, lower: readonly number[], change: Change, path: string): boolean {
    const before = this.changes.length;
    const counts = this.folder(folder, lower, path);
    if (!counts || (this.changes.length === before && this.places.has(change.path))) return false;
    this.changes.push(change);
    return true;
  }

  /** What the image has there: at most one, of the top layer that says something. */
  private below(lower: readonly number[], name: string): Member[] {
    for (const fd of lower) {
      const stat = statIfAny(fd, name);
      if (stat) return isWhiteout(stat) ? [] : [stat];
    }
    return [];
  }
}

/** The folders of that name, down to the first layer that hides those below it. */
function openAll(lower: readonly number[], name: string): number[] {
  const opened: number[] = [];
  for (const fd of lower) {
    const stat = statIfAny(fd, name);
    if (!stat) continue;
    if (!isDirectory(stat)) break;
    try {
      opened.push(openName(fd, name, O.PATH | O.DIRECTORY | O.NOFOLLOW));
      if (isOpaque(readXattrs([fd, name]))) break;
    } catch (error) {
      if (!isErrno(error, "ENOENT", "ELOOP", "ENOTDIR")) throw error;
    }
  }
  return opened;
}
