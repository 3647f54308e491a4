import { read, writeAll } from "../../linux/file.ts";
import { BLOCK, padding, type TarMember, tarComment, tarHeader } from "./header.ts";

const ROOM = 1 << 20;

/** A tar being written to a descriptor, in large pieces. */
export class TarOutput {
  readonly #buffer = new Uint8Array(ROOM);
  #used = 0;

  constructor(readonly fd: number) {}

  /** A comment on the whole archive, before its members; a byte string. */
  comment(text: string): void {
    this.#put(tarComment(text));
  }

  /** A member; with a size, `content` gives its bytes (see there). */
  add(member: TarMember, content = -1): void {
    this.#put(tarHeader(member));
    if (member.size > 0) this.#copy(content, member.size);
  }

  /** Writes the end of the archive and what is still held here. */
  end(): void {
    this.#zeros(2 * BLOCK);
    this.#flush();
  }

  /**
   * Exactly `size` bytes from `fd`: the header has promised them. A file that grew meanwhile is cut off there, one
   * that shrank is filled up with zeros, as tar(1) does.
   */
  #copy(fd: number, size: number): void {
    let rest = size;
    while (rest > 0) {
      if (this.#used === ROOM) this.#flush();
      const got = read(fd, this.#buffer.subarray(this.#used, Math.min(ROOM, this.#used + rest)));
      if (got === 0) break;
      this.#used += got;
      rest -= got;
    }
    this.#zeros(rest + padding(size));
  }

  #put(data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      if (this.#used === ROOM) this.#flush();
      const piece = data.subarray(at, at + ROOM - this.#used);
      this.#buffer.set(piece, this.#used);
      this.#used += piece.length;
      at += piece.length;
    }
  }

  #zeros(count: number): void {
    for (let rest = count; rest > 0; ) {
      if (this.#used === ROOM) this.#flush();
      const length = Math.min(rest, ROOM - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + length);
      this.#used += length;
      rest -= length;
    }
  }

  #flush(): void {
    writeAll(this.fd, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}
