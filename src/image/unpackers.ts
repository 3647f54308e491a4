import { availableParallelism } from "node:os";
import { fstat } from "../linux/stat.ts";
import { Helper, helperProgram } from "./unpack-helper.ts";
import { type LayerUnpacked, unpackHere } from "./unpack-job.ts";

/** Besides this process; each holds some 40 MB while it works. */
const MOST_HELPERS = 2;
/** Layers of fewer stored bytes are unpacked here in less time than a process takes to start. */
const WORTH_HELP = 1 << 20;

interface Job {
  readonly layer: number;
  readonly folder: number;
  /** Called when there is a process that does it, before it does. */
  readonly begun: () => void;
  readonly resolve: (result: Promise<LayerUnpacked>) => void;
}

/**
 * Unpacks layers in this process, one at a time, and while it has one in hand large ones in helpers too, as far as there are
 * CPUs. Layers are begun in the order in which they came, but that small ones wait for this process.
 */
export class Unpackers {
  readonly #waiting: Job[] = [];
  readonly #idle: Helper[] = [];
  readonly #helpers: Helper[] = [];
  #busy = false;

  constructor(
    readonly signal: AbortSignal,
    readonly program = helperProgram(),
    readonly most = Math.min(availableParallelism() - 1, MOST_HELPERS),
  ) {}

  /** Unpacks the stored layer open on `layer` into the folder open on `folder`: see `unpackHere`, also for its errors. */
  unpack(layer: number, folder: number, begun: () => void): Promise<LayerUnpacked> {
    return new Promise((resolve) => {
      this.#waiting.push({ layer, folder, begun, resolve });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const next = this.#busy ? undefined : this.#waiting.shift();
    if (next !== undefined) {
      this.#busy = true;
      this.#give(next, unpackHere(next.layer, next.folder, this.signal), () => {
        this.#busy = false;
      });
    }
    for (;;) {
      const at = this.#waiting.findIndex(({ layer }) => fstat(layer).size >= WORTH_HELP);
      const helper = at < 0 ? undefined : this.#helper();
      const job = helper && this.#waiting.splice(at, 1)[0];
      if (helper === undefined || job === undefined) return;
      this.#give(job, helper.unpack(job.layer, job.folder), () => void this.#idle.push(helper));
    }
  }

  #give({ begun, resolve }: Job, work: Promise<LayerUnpacked>, free: () => void): void {
    begun();
    const done = (): void => {
      free();
      this.#dispatch();
    };
    work.then(done, done);
    resolve(work);
  }

  #helper(): Helper | undefined {
    if (this.#idle.length > 0) return this.#idle.pop();
    if (this.program === undefined || this.#helpers.length >= this.most || this.signal.aborted)
      return undefined;
    try {
      const helper = new Helper(this.program, this.signal);
      this.#helpers.push(helper);
      return helper;
    } catch {
      // no more processes, or descriptors: it takes longer then
      return undefined;
    }
  }

  /** Ends the helpers, when all is done. */
  end(): void {
    for (const helper of this.#helpers.splice(0)) helper.end();
  }
}
