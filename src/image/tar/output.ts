import { writeAll } from "../../linux/file.ts";

/** Where the bytes of a tar go: a descriptor. With `hash`, that has seen all of them: the digest of the plain tar. */
export class TarOutput {
  #size = 0;

  constructor(
    readonly fd: number,
    readonly hash?: Bun.CryptoHasher,
  ) {}

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Writes one piece; it may be overwritten when this returns. Throws SysError (ENOSPC, EPIPE, …). */
  write(piece: Uint8Array): void {
    this.hash?.update(piece);
    writeAll(this.fd, piece);
    this.#size += piece.length;
  }

  /** Writes all pieces, and returns what their maker returns. */
  take<T>(pieces: Generator<Uint8Array, T>): T {
    for (;;) {
      const next = pieces.next();
      if (next.done === true) return next.value;
      this.write(next.value);
    }
  }
}
