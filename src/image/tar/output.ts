import { isDiskFull, SysError } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
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

  /**
   * Writes one piece; it may be overwritten when this returns. Throws EngineError where the reader of a pipe is gone or the
   * disk full, SysError for what else write(2) may say.
   */
  write(piece: Uint8Array): void {
    this.hash?.update(piece);
    try {
      writeAll(this.fd, piece);
    } catch (error) {
      throw explained(error);
    }
    this.#size += piece.length;
  }

  /** Writes all pieces. */
  take(pieces: Iterable<Uint8Array>): void {
    for (const piece of pieces) this.write(piece);
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof SysError)) return error;
  if (error.code === "EPIPE")
    return new EngineError("cannot write the archive: its reader has gone away (broken pipe)", 1, {
      cause: error,
    });
  if (!isDiskFull(error)) return error;
  return new EngineError("cannot write the archive: no space left on device", 125, { cause: error });
}
