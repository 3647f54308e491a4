import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, rename, unlinkIfAny } from "../linux/file.ts";
import { isRegular, statIfAny } from "../linux/stat.ts";
import { linkDescriptor, O_TMPFILE } from "../linux/tree.ts";
import { isTerminal } from "../linux/tty.ts";
import { absolute } from "./engine.ts";

/**
 * Runs `write` with where an archive is to go: stdout, if that is no terminal, or a file, which is there under its name only
 * when it is whole. A device or a pipe of that name is written to directly.
 */
export async function withOutput<T>(
  path: string | undefined,
  write: (fd: number) => T | Promise<T>,
): Promise<T> {
  if (path === undefined || path === "" || path === "-") {
    if (isTerminal(1))
      throw new EngineError("cowardly refusing to save to a terminal. Use the -o flag or redirect", 1);
    return await write(1);
  }
  const target = absolute(path);
  const present = statIfAny(target);
  if (present !== undefined && !isRegular(present)) return await into(target, O.WRONLY, write);
  const aside = openAside(target);
  try {
    const result = await write(aside.fd);
    aside.publish();
    return result;
  } finally {
    aside.close();
  }
}

/** A file that gets its name when it is whole. Without one it goes with its process, also one that is killed. */
interface Aside {
  readonly fd: number;
  publish(): void;
  close(): void;
}

function openAside(target: string): Aside {
  const name = `${target}.tmp-${process.pid}`;
  const folder = target.slice(0, target.lastIndexOf("/")) || "/";
  let fd: number;
  let hasName = false;
  try {
    fd = open(folder, O.WRONLY | O_TMPFILE, 0o600);
  } catch (error) {
    // file systems that know no files without a name
    if (!isErrno(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw explained(error, target);
    fd = opened(name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW);
    hasName = true;
  }
  return {
    fd,
    publish: () => {
      if (!hasName) linkDescriptor(fd, name);
      hasName = true;
      rename(name, target);
      hasName = false;
    },
    close: () => {
      close(fd);
      if (hasName) unlinkIfAny(name);
    },
  };
}

async function into<T>(path: string, flags: number, write: (fd: number) => T | Promise<T>): Promise<T> {
  const fd = opened(path, flags);
  try {
    return await write(fd);
  } finally {
    close(fd);
  }
}

function opened(path: string, flags: number): number {
  try {
    return open(path, flags, 0o600);
  } catch (error) {
    throw explained(error, path);
  }
}

function explained(error: unknown, path: string): unknown {
  if (!isErrno(error, "ENOENT", "ENOTDIR", "EACCES", "EROFS", "EISDIR")) return error;
  return new EngineError(`cannot write ${path}: ${error.message}`, 1, { cause: error });
}
