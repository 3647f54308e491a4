import { TransportError } from "./errors.ts";

/** The signal of one request: aborted with one of those from outside, or when nothing has come for too long. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #stop = (event: Event): void => this.#controller.abort((event.target as AbortSignal).reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly outer: readonly AbortSignal[]) {
    for (const signal of outer) {
      if (signal.aborted) this.#controller.abort(signal.reason);
      else signal.addEventListener("abort", this.#stop, { once: true });
    }
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

  /** Over: the outer signals are let go of. */
  end(): void {
    this.disarm();
    for (const signal of this.outer) signal.removeEventListener("abort", this.#stop);
  }
}
