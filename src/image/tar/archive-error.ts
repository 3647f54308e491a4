import { SysError } from "../../linux/errno.ts";
import { readable } from "../../linux/tree.ts";

/** What is wrong with an archive, without its name: whoever knows which one it was puts that before it. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

/** The same error, with the name of the member (a byte string) before it. A failed system call becomes one, too. */
export function named(error: unknown, name: string): unknown {
  const member = JSON.stringify(readable(name.slice(0, 200)));
  if (error instanceof ArchiveError) return new ArchiveError(`${member}: ${error.message}`, { cause: error });
  // a full disk and the like are not the archive's fault: they keep their code
  if (!(error instanceof SysError) || HOSTS_FAULT.has(error.code)) return error;
  return new ArchiveError(`${member}: ${error.message}`, { cause: error });
}

const HOSTS_FAULT: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE"]);
