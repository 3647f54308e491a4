import { isDiskFull, isErrno, SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, fsync, O, open, renameNew, syncFolder, unlinkIfAny } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import { linkDescriptor, O_TMPFILE } from "../linux/tree.ts";
import { compileFor } from "./compiled.ts";
import { TarOutput } from "./tar/output.ts";
import { type ReadOptions, TreeReader } from "./tar/tree-reader.ts";

/**
 * Writes the tree at `root` (a folder's descriptor, or a path of the host) as a plain tar to `out`, an absolute path;
 * a comment goes before its members. The file is there only when it is whole and on disk. The tree may change, or be
 * hostile, meanwhile: links are never followed, other mounts (but for an empty folder) and sockets left out. Returns the
 * bytes of file content. Throws EngineError where `out` exists.
 */
export function packTree(
  root: number | string,
  out: string,
  options: Pick<ReadOptions, "comment" | "owners"> = {},
): { readonly size: number } {
  if (exists(out)) throw taken(out);
  compileFor();
  const folder = out.slice(0, out.lastIndexOf("/")) || "/";
  let aside: Aside | undefined;
  const fd = typeof root === "number" ? root : open(root, O.RDONLY | O.DIRECTORY);
  try {
    aside = openAside(folder);
    const reader = new TreeReader(options);
    new TarOutput(aside.fd).take(reader.read(fd));
    fsync(aside.fd);
    publish(aside, out);
    syncFolder(folder);
    return { size: reader.size };
  } catch (error) {
    throw explained(error, out);
  } finally {
    if (aside !== undefined) {
      close(aside.fd);
      if (aside.path !== undefined) unlinkIfAny(aside.path);
    }
    if (typeof root !== "number") close(fd);
  }
}

/**
 * The same tree as a plain tar into the descriptor `out`: a pipe, a file, whatever can be written. Returns the bytes of file
 * content. Throws EngineError where the reader is gone, or the disk full; what was written by then is cut short.
 */
export function packTo(
  root: number,
  out: number,
  options: Pick<ReadOptions, "owners"> = {},
): { readonly size: number } {
  compileFor();
  const reader = new TreeReader(options);
  new TarOutput(out).take(reader.read(root));
  return { size: reader.size };
}

/** What `handle` is open on (as a path) with all below it, as a plain tar into the descriptor `out`, in which it is called `name`. */
export function packMember(
  handle: number,
  name: string,
  out: number,
  options: Pick<ReadOptions, "owners"> = {},
): void {
  compileFor();
  new TarOutput(out).take(new TreeReader(options).readMember(handle, name));
}

/** A file that has no name yet (O_TMPFILE: it goes with its process), or where there is no such thing a hidden one. */
interface Aside {
  readonly fd: number;
  readonly path: string | undefined;
}

function openAside(folder: string): Aside {
  try {
    return { fd: open(folder, O.RDWR | O_TMPFILE, 0o600), path: undefined };
  } catch (error) {
    if (!isErrno(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
  }
  const path = `${folder}/.tmp-${crypto.randomUUID()}`;
  return { fd: open(path, O.RDWR | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600), path };
}

function publish(aside: Aside, out: string): void {
  if (aside.path === undefined) linkDescriptor(aside.fd, out);
  else renameNew(aside.path, out);
}

function taken(out: string): EngineError {
  return new EngineError(`cannot write ${out}: it exists already`);
}

function explained(thrown: unknown, out: string): unknown {
  // what the output says does not know which file it is
  const error = thrown instanceof EngineError ? thrown.cause : thrown;
  if (!(error instanceof SysError)) return thrown;
  if (error.code === "EEXIST") return taken(out);
  const reason = isDiskFull(error) ? "no space left on device" : error.message;
  return new EngineError(`cannot write ${out}: ${reason}`, 125, { cause: error });
}
