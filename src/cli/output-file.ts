import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, rename, unlinkIfAny } from "../linux/file.ts";
import { isRegular, statIfAny } from "../linux/stat.ts";
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
  const aside = `${target}.tmp-${process.pid}`;
  try {
    const result = await into(aside, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, write);
    rename(aside, target);
    return result;
  } catch (error) {
    unlinkIfAny(aside);
    throw error;
  }
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
    if (isErrno(error, "ENOENT", "ENOTDIR", "EACCES", "EROFS", "EISDIR"))
      throw new EngineError(`cannot write ${path}: ${error.message}`, 1, { cause: error });
    throw error;
  }
}
