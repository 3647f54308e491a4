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
