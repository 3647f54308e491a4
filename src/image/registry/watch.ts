import { TransportError } from "./errors.ts";

/** The signal of one request: aborted with the one from outside, or when nothing has come for too long. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #stop = (): void => this.#controller.abort(this.outer?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly outer: AbortSignal | undefined) {
    if (outer?.aborted) this.#stop();
    else outer?.addEventListener("abort", this.#stop, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on something has to come within so many ms. Only while we wait: a slow reader is no stall. */
  arm(ms: number): void {
    clearTimeout(this.#timer);
    const words = `it sent nothing for ${ms / 1000} seconds`;
    this.#timer = setTimeout(() => this.#controller.abort(new TransportError(words, "stall")), ms);
  }

  disarm(): void {
    clearTimeout(this.#timer);
  }

  /** Over: the outer signal is let go of. */
  end(): void {
    this.disarm();
    this.outer?.removeEventListener("abort", this.#stop);
  }
}
