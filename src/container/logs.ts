import { JsonLines } from "./lines.ts";
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
  const reader = JsonLines.open<LogEntry>(paths.log(record.id));
  if (!reader) return;
  const wanted = (entry: LogEntry): boolean => options.since === undefined || entry.time >= options.since;
  try {
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
    reader.close();
  }
}
