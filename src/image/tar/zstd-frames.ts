import { ArchiveError } from "./archive-error.ts";

const FRAME = 0xfd2fb528;
/** Magic numbers of skippable frames: sixteen of them. */
const SKIPPABLE = 0x184d2a50;

type State = "magic" | "descriptor" | "block" | "skip-length";

/**
 * Follows the frames of a zstd stream (RFC 8878, section 3) without decompressing them: the decompressor says nothing when
 * the last frame is cut short, nor of what follows it.
 */
export class ZstdFrames {
  #state: State = "magic";
  /** Bytes that are asked for next, when they are to be looked at; up to 4. */
  #wanted = 4;
  #value = 0;
  #got = 0;
  /** Bytes to go past. */
  #past = 0;
  #checksum = false;

  /** Takes the next bytes. ArchiveError where a frame begins that is none. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#past > 0) {
        const step = Math.min(this.#past, piece.length - at);
        at += step;
        this.#past -= step;
        continue;
      }
      this.#value += (piece[at++] ?? 0) * 256 ** this.#got++;
      if (this.#got === this.#wanted) this.#step(this.#value);
    }
  }

  /** Throws where the stream ended within a frame. */
  end(): void {
    if (this.#state !== "magic" || this.#got > 0 || this.#past > 0)
      throw new ArchiveError("it is cut short: its zstd data does not come to an end");
  }

  #next(state: State, past = 0): void {
    this.#state = state;
    this.#wanted = WANTED[state];
    this.#past = past;
    this.#value = 0;
    this.#got = 0;
  }

  #step(value: number): void {
    switch (this.#state) {
      case "magic":
        if (value === FRAME) return this.#next("descriptor");
        if (value >= SKIPPABLE && value < SKIPPABLE + 16) return this.#next("skip-length");
        throw new ArchiveError("its zstd data is followed by something else");
      case "descriptor":
        this.#checksum = (value & 4) !== 0;
        return this.#next("block", headerLength(value));
      case "skip-length":
        return this.#next("magic", value);
      case "block":
        return this.#block(value);
    }
  }

  /** Section 3.1.1.2: a bit for the last block, two for its type, its size. */
  #block(value: number): void {
    const type = (value >> 1) & 3;
    const length = type === 1 ? 1 : value >> 3;
    if ((value & 1) === 0) return this.#next("block", length);
    this.#next("magic", length + (this.#checksum ? 4 : 0));
  }
}

const WANTED = { magic: 4, descriptor: 1, block: 3, "skip-length": 4 } as const;

/** Section 3.1.1.1: what follows the frame header's descriptor. */
function headerLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const size = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return (single ? 0 : 1) + dictionary + size;
}
