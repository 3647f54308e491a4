/** How patient a registry's client is, in ms. */
export interface Timing {
  /** No byte for so long, and a connection is cut. */
  readonly stall: number;
  /** What the registry may take to answer when it has all bytes of an upload: some copy them to another place then. */
  readonly commit: number;
  /** The wait before the second try; it doubles from there on. */
  readonly backoff: number;
  /** The longest wait; a registry that asks for more is not waited for. */
  readonly longest: number;
  /** Tries that bring nothing new, before it is an error. */
  readonly attempts: number;
}

export const TIMING: Timing = {
  stall: 30_000,
  commit: 300_000,
  backoff: 500,
  longest: 60_000,
  attempts: 5,
};

/** Whether a status may be another one in a moment. */
export function passes(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** What Retry-After asks for in ms (RFC 9110, 10.2.3: seconds, or a date), undefined without a usable one. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (!value) return undefined;
  if (/^\d{1,12}$/.test(value)) {
    const seconds = Number(value);
    // Docker's hub answers with the second of the epoch
    return Math.max(seconds > 1e9 ? seconds * 1000 - Date.now() : seconds * 1000, 0);
  }
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(date - Date.now(), 0);
}

/**
 * How long to wait after `failed` tries (1 and up): doubling, jittered so that many clients do not come back at once, and no
 * less than what the registry asked for. Undefined when that is more than anyone wants to wait.
 */
export function delay(failed: number, timing: Timing, asked?: number): number | undefined {
  if (asked !== undefined && asked > timing.longest) return undefined;
  const most = Math.min(timing.backoff * 2 ** (failed - 1), timing.longest);
  return Math.max(most * (0.5 + Math.random() / 2), asked ?? 0);
}

/** Waits; a signal that is or gets aborted ends it with the signal's reason. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
