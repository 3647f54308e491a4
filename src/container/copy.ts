import type { Owner } from "../image/tar/tree-writer.ts";
import { isErrno, SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, openIn, readlinkIfAny } from "../linux/file.ts";
import { fstat, isDirectory, S_IFLNK, S_IFMT } from "../linux/stat.ts";
import { normalizePath } from "../linux/text.ts";
import { openSource as openBindSource } from "../runtime/bind-source.ts";
import { MOST_LINKS } from "../runtime/place.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, Volume } from "./record.ts";
import { findId, readRecord } from "./store.ts";
import { withView } from "./view.ts";

/** One side of a copy: a path of the host's, or of a container's. */
export interface Side {
  readonly container?: string;
  /** As it was given: a slash, or `/.`, at its end has a meaning. */
  readonly path: string;
}

export interface CopyOptions {
  /** The copy of a link that is named itself is what it leads to. */
  readonly followLink: boolean;
  /** What comes out of a container keeps its owners. */
  readonly archive: boolean;
}

/** A place that is looked at: paths are resolved inside `root` as if that were "/". */
interface Place {
  readonly root: number;
  readonly path: string;
  /** For errors. */
  readonly shown: string;
  /** The first id of its files' owners on disk, and how many there are. */
  readonly ids: { readonly base: number; readonly size: number };
  readonly container: string | undefined;
  /** What the container may only read, where that is so. */
  readonly readOnly: false | "mounted volume" | "container rootfs";
}

const HOST_IDS = { base: 0, size: 2 ** 32 };

/**
 * `cp`: copies a file, a folder with all below it, or with `/.` at its end what is in it, from one side to the other, by Docker's
 * rules for where it goes. Nothing is followed out of a container, also where it moves its folders meanwhile. Returns the bytes
 * of content. Throws EngineError (1).
 */
export function copyFiles(paths: Paths, from: Side, to: Side, options: CopyOptions): Promise<number> {
  return withPlace(paths, from, (source) =>
    withPlace(paths, to, async (target) => {
      checkWritable(target);
      const { copyMember } = await import("../image/tar/copy-tree.ts");
      const handle = openSource(source, options.followLink);
      try {
        const place = placeFor(target, source, isDirectory(fstat(handle)));
        try {
          return explained(target, () =>
            copyMember(handle, place.folder, place.name, ownerFor(source, target, options)),
          );
        } finally {
          close(place.folder);
        }
      } finally {
        close(handle);
      }
    }),
  );
}

/** `cp CONTAINER:PATH -`: the same as a tar into the descriptor `out`. */
export function copyOut(paths: Paths, from: Side, out: number, options: CopyOptions): Promise<void> {
  return withPlace(paths, from, async (source) => {
    const { packMember } = await import("../image/pack.ts");
    const handle = openSource(source, options.followLink);
    try {
      const { ids } = source;
      packMember(handle, lastOf(source.path) || ".", out, ids.base === 0 ? {} : { owners: ids });
    } finally {
      close(handle);
    }
  });
}

/** `cp - CONTAINER:FOLDER`: a tar's members into a folder that is there. */
export function copyIn(paths: Paths, pieces: AsyncIterable<Uint8Array>, to: Side): Promise<void> {
  return withPlace(paths, to, async (target) => {
    checkWritable(target);
    const { unpackTar } = await import("../image/tar/unpack.ts");
    const folder = openAt(target, target.path, O.RDONLY | O.DIRECTORY);
    if (folder === undefined) throw missing(target);
    try {
      await unpackTar(pieces, folder, {}, ownerIn(target));
    } catch (error) {
      throw explain(target, error);
    } finally {
      close(folder);
    }
  });
}

function checkWritable({ readOnly, shown }: Place): void {
  if (readOnly) throw new EngineError(`cannot copy to ${shown}: ${readOnly} is marked read-only`, 1);
}

async function withPlace<T>(paths: Paths, side: Side, use: (place: Place) => Promise<T>): Promise<T> {
  if (side.container === undefined) {
    const root = open("/", O.PATH | O.DIRECTORY);
    try {
      return await use({
        root,
        path: side.path,
        shown: side.path,
        ids: HOST_IDS,
        container: undefined,
        readOnly: false,
      });
    } finally {
      close(root);
    }
  }
  const record = readRecord(paths, findId(paths, side.container));
  return withView(paths, record, "copy files of", async (view) => {
    const volume = volumeAt(record, side.path);
    const shown = `${record.name}:${side.path}`;
    if (volume) {
      const root = openBindSource(volume);
      try {
        return await use({
          root,
          path: volume.path,
          shown,
          ids: HOST_IDS,
          container: record.name,
          readOnly: volume.readOnly && "mounted volume",
        });
      } finally {
        close(root);
      }
    }
    const ids = record.idmap ?? HOST_IDS;
    const readOnly = record.readOnly ? "container rootfs" : false;
    return use({ root: view.merged(), path: side.path, shown, ids, container: record.name, readOnly });
  });
}

/** The folder of the host that a path of a container is in, where it is on a volume, and the path in it. */
function volumeAt(
  { volumes }: ContainerRecord,
  path: string,
): (Pick<Volume, "source" | "subpath" | "readOnly"> & { readonly path: string }) | undefined {
  const whole = normalizePath(path);
  const on = volumes
    .filter(({ destination }) => whole === destination || whole.startsWith(`${destination}/`))
    .sort((a, b) => b.destination.length - a.destination.length)[0];
  if (!on) return undefined;
  const tail = /\/\.?$/.exec(path)?.[0] ?? "";
  return {
    source: on.source,
    ...(on.subpath !== undefined && { subpath: on.subpath }),
    readOnly: on.readOnly,
    path: `${whole.slice(on.destination.length) || "/"}${tail}`,
  };
}

/** What is to be copied, as a path: not what a link at its end leads to, unless that is asked for or a slash says so. */
function openSource(source: Place, followLink: boolean): number {
  const follow = followLink || /\/\.?$/.test(source.path);
  const handle = openAt(source, source.path, O.PATH | (follow ? 0 : O.NOFOLLOW));
  if (handle === undefined) throw missing(source);
  if (!follow || (fstat(handle).mode & S_IFMT) !== S_IFLNK) return handle;
  close(handle);
  throw missing(source);
}

function missing({ shown, path, container }: Place): EngineError {
  return container === undefined
    ? new EngineError(`cannot copy ${shown}: no such file or directory`, 1)
    : new EngineError(`Could not find the file ${path} in container ${container}`, 1);
}

/** Undefined where there is nothing. */
function openAt({ root }: Place, path: string, flags: number): number | undefined {
  try {
    return openIn(root, path || "/", flags);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

/** Where the copy goes: a folder, and the name in it; no name is what is in the source folder, into this one. */
function placeFor(target: Place, source: Place, isFolder: boolean): { folder: number; name?: string } {
  const there = openAt(target, target.path, O.PATH);
  if (there !== undefined && isDirectory(fstat(there))) {
    const contents = isFolder && /(^|\/)\.$/.test(source.path);
    return contents ? { folder: there } : { folder: there, name: lastOf(source.path) };
  }
  if (there !== undefined) close(there);
  if (there !== undefined && isFolder)
    throw new EngineError(`cannot copy a folder to ${target.shown}: it is a file`, 1);
  if (target.path.endsWith("/") && !isFolder)
    throw new EngineError(`cannot copy to ${target.shown}: no such folder`, 1);
  return endOf(target, target.path, 0);
}

/** The folder and the name at the end of a path that is no folder; a link there is followed, inside the root. */
function endOf(target: Place, path: string, links: number): { folder: number; name: string } {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  const above = slash < 0 ? "/" : trimmed.slice(0, slash + 1);
  const folder = openAt(target, above, O.PATH | O.DIRECTORY);
  if (folder === undefined || links === MOST_LINKS)
    throw new EngineError(`cannot copy to ${target.shown}: no such folder`, 1);
  const name = trimmed.slice(slash + 1);
  const link = readlinkIfAny(name, folder);
  if (link === undefined) return { folder, name };
  close(folder);
  return endOf(target, link.startsWith("/") ? link : `${above}${link}`, links + 1);
}

function lastOf(path: string): string {
  const whole = normalizePath(path);
  return whole.slice(whole.lastIndexOf("/") + 1);
}

/**
 * Into a container owners are kept; out of it everything is the caller's, unless they are to be kept. What a container with users
 * of its own has as 0 is another number on disk.
 */
function ownerFor(source: Place, target: Place, { archive }: CopyOptions): Owner {
  const shift = (id: number): number => {
    const inside =
      id >= source.ids.base && id < source.ids.base + source.ids.size ? id - source.ids.base : id;
    return inside < target.ids.size ? inside + target.ids.base : inside;
  };
  if (source.container !== undefined && target.container === undefined && !archive) {
    const caller: readonly [number, number] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
    return () => caller;
  }
  return (uid, gid) => [shift(uid), shift(gid)];
}

function ownerIn({ ids }: Place): Owner | undefined {
  return ids.base === 0 ? undefined : (uid, gid) => [uid + ids.base, gid + ids.base];
}

function explained<T>(target: Place, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explain(target, error);
  }
}

function explain(target: Place, error: unknown): unknown {
  if (!(error instanceof SysError) && !(error instanceof Error && error.name === "ArchiveError"))
    return error;
  const why = isErrno(error, "EROFS") ? "it is mounted read-only" : error.message;
  return new EngineError(`cannot copy to ${target.shown}: ${why}`, 1, { cause: error });
}
