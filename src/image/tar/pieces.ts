import { read } from "../../linux/file.ts";
import { BLOCK, padding, type TarMember, tarComment, tarHeader } from "./header.ts";

const ROOM = 1 << 20;

/** Parts of a tar. A piece is good until the next one is asked for: all are in one buffer. */
export type Pieces<T = void> = Generator<Uint8Array, T>;

/**
 * A tar being made, in large pieces: each call gives those that it has filled, mostly none. Whoever takes them says how fast
 * it goes, and whether it waits between two of them.
 */
export class TarPieces {
  readonly #buffer = new Uint8Array(ROOM);
  #used = 0;

  /** A comment on the whole archive, before its members; a byte string. */
  comment(text: string): Pieces {
    return this.#put(tarComment(text));
  }

  /** A member; with a size, `content` gives its bytes (see #copy). */
  *add(member: TarMember, content = -1): Pieces {
    yield* this.#put(tarHeader(member));
    if (member.size > 0) yield* this.#copy(content, member.size);
  }

  /** A regular file of these bytes. */
  *addBytes(member: Omit<TarMember, "size" | "type">, content: Uint8Array): Pieces {
    yield* this.#put(tarHeader({ ...member, type: "0", size: content.length }));
    yield* this.#put(content);
    yield* this.#zeros(padding(content.length));
  }

  /** The end of the archive, and what is still held here. */
  *end(): Pieces {
    yield* this.#zeros(2 * BLOCK);
    if (this.#used > 0) yield this.#full();
  }

  /**
   * Exactly `size` bytes from `fd`: the header has promised them. A file that grew meanwhile is cut off there, one
   * that shrank is filled up with zeros, as tar(1) does.
   */
  *#copy(fd: number, size: number): Pieces {
    let rest = size;
    while (rest > 0) {
      if (this.#used === ROOM) yield this.#full();
      const got = read(fd, this.#buffer.subarray(this.#used, Math.min(ROOM, this.#used + rest)));
      if (got === 0) break;
      this.#used += got;
      rest -= got;
    }
    yield* this.#zeros(rest + padding(size));
  }

  *#put(data: Uint8Array): Pieces {
    for (let at = 0; at < data.length; ) {
      if (this.#used === ROOM) yield this.#full();
      const piece = data.subarray(at, at + ROOM - this.#used);
      this.#buffer.set(piece, this.#used);
      this.#used += piece.length;
      at += piece.length;
    }
  }

  *#zeros(count: number): Pieces {
    for (let rest = count; rest > 0; ) {
      if (this.#used === ROOM) yield this.#full();
      const length = Math.min(rest, ROOM - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + length);
      this.#used += length;
      rest -= length;
    }
  }

  #full(): Uint8Array {
    const piece = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    return piece;
  }
}
