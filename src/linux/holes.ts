import { truncate, writeAll } from "./file.ts";
import { check, SYS, syscall } from "./libc.ts";

/** Zeros in pieces that are shorter are written: a hole is a matter of blocks. */
const LEAST = 4096;
const ZEROS = Buffer.alloc(1 << 20);
const SEEK_CUR = 1;

/** Whether a piece is worth leaving out: zeros alone, of a block and more. */
export function isHole(data: Uint8Array): boolean {
  // what is not zeros mostly tells by its ends
  if (data.length < LEAST || data[0] !== 0 || data[data.length - 1] !== 0) return false;
  for (let at = 0; at < data.length; at += ZEROS.length) {
    const piece = data.subarray(at, at + ZEROS.length);
    if (ZEROS.compare(piece, 0, piece.length, 0, piece.length) !== 0) return false;
  }
  return true;
}

/** Writes a file from its beginning on, and leaves out what is zeros: a file with holes takes no more room than it did. */
export class HoleWriter {
  #size = 0;
  #hole = 0;

  constructor(readonly fd: number) {}

  write(data: Uint8Array): void {
    this.#size += data.length;
    if (isHole(data)) {
      this.#hole += data.length;
      return;
    }
    if (this.#hole > 0) check(syscall(SYS.lseek, this.fd, this.#hole, SEEK_CUR), "lseek", `fd ${this.fd}`);
    this.#hole = 0;
    writeAll(this.fd, data);
  }

  /** A hole at the end is one only by the size of the file. */
  end(): void {
    if (this.#hole > 0) truncate(this.fd, this.#size);
  }
}
