import { EngineError } from "../linux/errors.ts";

/**
 * Runs work that takes its time with a signal that is aborted by Ctrl-C or SIGTERM: then it can undo what is half-made. A
 * second one ends the program at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const stop = (name: "SIGINT" | "SIGTERM", code: number): void => {
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(code);
      abort.abort(new EngineError("interrupted", code));
    });
  };
  stop("SIGINT", 130);
  stop("SIGTERM", 143);
  try {
    return await work(abort.signal);
  } finally {
    for (const name of ["SIGINT", "SIGTERM"]) process.removeAllListeners(name);
  }
}
