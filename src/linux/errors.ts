/** A failure that is told to the person as it is: one line, and the exit code that goes with it. */
export class EngineError extends Error {
  override readonly name: string = "EngineError";
  constructor(
    message: string,
    readonly exitCode = 125,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Undoes what a failed step left, and returns the error to throw: the failure, with that of the undoing if it fails too. */
export function undone(error: unknown, undo: () => unknown): unknown {
  try {
    undo();
    return error;
  } catch (second) {
    const words = (one: unknown): string => (one instanceof Error ? one.message : String(one));
    const code = error instanceof EngineError ? error.exitCode : 125;
    return new EngineError(`${words(error)} (and undoing it failed: ${words(second)})`, code, {
      cause: error,
    });
  }
}
