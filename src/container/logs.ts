import { isErrno } from "../linux/errno.ts";
import { close, O, open, read } from "../linux/file.ts";
import { isRunning } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import { findId, readContainer, readState } from "./store.ts";

/** A line of the log (Docker's json-file format); `log` ends with a newline unless the line was cut or is the last. */
export interface LogEntry {
  readonly log: string;
  readonly stream: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
}

/** What of the log is wanted. */
export interface LogOptions {
  readonly follow: boolean;
  /** The last so many lines; undefined for all. */
  readonly tail: number | undefined;
  /** Only entries from this time on (RFC 3339 with nanoseconds, UTC). */
  readonly since: string | undefined;
  /** How long to wait for more when following, in milliseconds. */
  readonly pause: number;
}

/** Gives every wanted entry to `take`, in order; with `follow` until the container has ended. */
export async function readLogs(
  paths: Paths,
  reference: string,
  options: LogOptions,
  take: (entry: LogEntry) => void,
): Promise<void> {
  const { record } = readContainer(paths, findId(paths, reference));
  let fd: number;
  try {
    fd = open(paths.log(record.id), O.RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  const wanted = (entry: LogEntry): boolean => options.since === undefined || entry.time >= options.since;
  try {
    const reader = new LineReader(fd);
    const past: LogEntry[] = [];
    const tail = options.tail;
    reader.drain((entry) => {
      if (!wanted(entry)) return;
      if (tail === undefined) take(entry);
      else if (tail > 0 && past.push(entry) > tail * 2) past.splice(0, past.length - tail);
    });
    for (const entry of past.slice(-(tail ?? 0))) take(entry);
    while (options.follow) {
      // looked at before the file is: what the end of the container still wrote is then read too
      const running = isRunning(readState(paths, record));
      reader.drain((entry) => wanted(entry) && take(entry));
      if (!running) break;
      await Bun.sleep(options.pause);
    }
  } finally {
    close(fd);
  }
}

const decoder = new TextDecoder();

/** Entries of a file that grows; a line that is not whole yet is kept for the next time. */
class LineReader {
  private rest = new Uint8Array(0);
  private readonly buffer = new Uint8Array(1 << 16);
  constructor(private readonly fd: number) {}

  drain(take: (entry: LogEntry) => void): void {
    for (;;) {
      const got = read(this.fd, this.buffer);
      if (got === 0) return;
      const data =
        this.rest.length > 0
          ? Buffer.concat([this.rest, this.buffer.subarray(0, got)])
          : this.buffer.subarray(0, got);
      const end = data.lastIndexOf(10);
      for (const line of decoder.decode(data.subarray(0, end + 1)).split("\n")) {
        const entry = line === "" ? undefined : parseEntry(line);
        if (entry) take(entry);
      }
      this.rest = data.slice(end + 1);
    }
  }
}

/** Undefined for a line that is none, as a full disk or a power cut leaves one: the others are to be read all the same. */
function parseEntry(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
