import { isErrno } from "../linux/errno.ts";
import { close, O, open, read, seekEnd } from "../linux/file.ts";
import { isStillAt } from "../linux/stat.ts";

const decoder = new TextDecoder();

/** The entries of a file with a line of JSON for each, which may be growing. */
export class JsonLines<T> {
  private rest = new Uint8Array(0);
  private readonly buffer = new Uint8Array(1 << 16);

  private constructor(
    private readonly fd: number,
    private readonly path: string,
  ) {}

  /** Undefined where there is no such file. */
  static open<T>(path: string): JsonLines<T> | undefined {
    try {
      return new JsonLines<T>(open(path, O.RDONLY), path);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** The same, without what is in it already. */
  static atEnd<T>(path: string): JsonLines<T> | undefined {
    const lines = JsonLines.open<T>(path);
    if (lines) seekEnd(lines.fd);
    return lines;
  }

  /** Gives every entry that has come since the last time to `take`; a line that is not whole yet is kept for the next. */
  drain(take: (entry: T) => void): void {
    for (;;) {
      const got = read(this.fd, this.buffer);
      if (got === 0) return;
      const data =
        this.rest.length > 0
          ? Buffer.concat([this.rest, this.buffer.subarray(0, got)])
          : this.buffer.subarray(0, got);
      const end = data.lastIndexOf(10);
      for (const line of decoder.decode(data.subarray(0, end + 1)).split("\n")) {
        const entry = line === "" ? undefined : parse<T>(line);
        if (entry) take(entry);
      }
      this.rest = data.slice(end + 1);
    }
  }

  /** Whether another file has taken its place. */
  isReplaced(): boolean {
    return !isStillAt(this.fd, this.path);
  }

  close(): void {
    close(this.fd);
  }
}

/** Undefined for a line that is none, as a full disk or a power cut leaves one: the others are to be read all the same. */
function parse<T>(line: string): T | undefined {
  try {
    return JSON.parse(line) as T;
  } catch {
    return undefined;
  }
}
