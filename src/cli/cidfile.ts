import { isErrno } from "../linux/errno.ts";
import { close, O, open, unlinkIfAny, writeAll } from "../linux/file.ts";
import { toBytes } from "../linux/text.ts";
import type { Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";

/**
 * Makes a container, and writes its id to the file of --cidfile where one is asked for. The file is made before, and goes
 * again where no container comes of it. Throws UsageError where it is there already, as Docker does.
 */
export async function withCidFile<T>(
  input: Parsed,
  make: () => Promise<T>,
  idOf: (made: T) => string,
): Promise<T> {
  const path = input.text("cidfile");
  if (!path) return make();
  const fd = create(path);
  try {
    const made = await make();
    writeAll(fd, toBytes(idOf(made)));
    return made;
  } catch (error) {
    unlinkIfAny(path);
    throw error;
  } finally {
    close(fd);
  }
}

function create(path: string): number {
  try {
    return open(path, O.WRONLY | O.CREAT | O.EXCL, 0o644);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new UsageError(
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
}
