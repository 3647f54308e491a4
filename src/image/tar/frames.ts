import { ArchiveError, named } from "./archive-error.ts";
import { type Before, describeEntry, type Entry, given, lengthOf, typeOf } from "./entry.ts";
import { FIELD, isHeader, isZero, latin1, numberField } from "./fields.ts";
import { BLOCK, padding } from "./header.ts";
import type { Limits } from "./limits.ts";

import { readPax } from "./pax.ts";
import { Pool, plainHeader } from "./plain.ts";
import {
  checkedMap,
  decimal,
  MapReader,
  OLD_MAP,
  OLD_MAP_GOES_ON,
  readMapRecord,
  readOldMap,
  type SparseMap,
  tooMany,
} from "./sparse.ts";

/** What must not stand in a global pax header: it would be said of every member. */
const NOT_GLOBAL =
  /^(path|linkpath|size|GNU\.sparse\..*|SCHILY\.xattr\..*|LIBARCHIVE\.xattr\..*|SCHILY\.acl\..*)$/;

/** A member before its length is known, and what is done when it is. */
type Begun = Omit<Entry, "length" | "sparse">;
type Done = (length: number, sparse?: SparseMap) => void;

function naming(name: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw named(error, name);
  }
}

/**
 * Translates a tar of any kind into the plainest one, for tar-stream: regular files only, with no more in their headers than
 * a size. What the headers say is kept here, member by member in the same order (`next`), read as bytes: pax (POSIX, with
 * GNU's, star's and libarchive's keys), ustar, GNU's and V7's formats. tar-stream alone would take names and values for
 * UTF-8, and knows neither sparse files nor negative times.
 */
export class Frames {
  readonly #pool = new Pool();
  readonly #entries: Entry[] = [];
  #taken = 0;
  readonly #global = new Map<string, string>();
  #globalBytes = 0;
  #records = new Map<string, string>();
  #longName: string | undefined;
  #longLink: string | undefined;
  /** Bytes that go on as they are (the last of which fill a block), and then bytes that go nowhere. */
  #pass = 0;
  #padding = 0;
  #drop = 0;
  /** What is collected: room, how much of it is filled, and who gets it. */
  #room: Uint8Array | undefined;
  #filled = 0;
  #then: (data: Uint8Array) => void = () => undefined;
  /** Blocks of zeros, and how much has followed the second one. */
  #zeros = 0;
  #behind = 0;

  constructor(readonly limits: Limits) {}

  /** What a pax global header says of the whole archive; bytes as characters. */
  get comment(): string | undefined {
    return this.#global.get("comment");
  }

  /** The next piece, translated. */
  push(piece: Uint8Array): readonly Uint8Array[] {
    let at = 0;
    while (at < piece.length && this.#zeros < 2) {
      if (this.#pass > 0) {
        const end = Math.min(piece.length, at + this.#pass);
        this.#pool.add(piece.subarray(at, end));
        this.#pass -= end - at;
        at = end;
      } else if (this.#drop > 0) {
        const end = Math.min(piece.length, at + this.#drop);
        this.#drop -= end - at;
        at = end;
      } else {
        at += this.#fill(piece, at);
      }
    }
    this.#behind += piece.length - at;
    if (this.#behind > this.limits.behind)
      throw new ArchiveError(`more than ${this.limits.behind} bytes stand behind its end`);
    return this.#pool.take();
  }

  /** The member that tar-stream comes to next. */
  next(): Entry {
    const entry = this.#entries[this.#taken++];
    if (entry === undefined) throw new ArchiveError("it is not a tar archive, or damaged");
    if (this.#taken === this.#entries.length) {
      this.#entries.length = 0;
      this.#taken = 0;
    }
    return entry;
  }

  /**
   * Throws ArchiveError where the archive is not whole. With `mayLackEnd` the blocks of zeros at its end may be missing, and
   * what fills the last member's block: umoci leaves both out. Returns what takes its place.
   */
  end(mayLackEnd: boolean): Uint8Array {
    if (mayLackEnd && this.#pass <= this.#padding) {
      const filling = new Uint8Array(this.#pass);
      this.#pass = 0;
      this.#checkEnd(true);
      return filling;
    }
    this.#checkEnd(mayLackEnd);
    return new Uint8Array(0);
  }

  #checkEnd(mayLackEnd: boolean): void {
    const between = this.#pass === 0 && this.#drop === 0 && this.#room === undefined;
    const pending = this.#records.size > 0 || this.#longName !== undefined || this.#longLink !== undefined;
    // two blocks of zeros end it (POSIX pax). One is asked for, as all of the world's readers do
    if (this.#zeros > 0 || (mayLackEnd && between && !pending)) return;
    if (between && !pending) throw new ArchiveError("it is cut short: the end of the archive is missing");
    throw new ArchiveError("it is cut short");
  }

  /** Fills what is collected, a header block where nothing else is; returns how many bytes it took. */
  #fill(piece: Uint8Array, at: number): number {
    const room = this.#room;
    if (room === undefined && piece.length - at >= BLOCK) {
      this.#block(piece.subarray(at, at + BLOCK));
      return BLOCK;
    }
    if (room === undefined) {
      this.#collect(BLOCK, (block) => this.#block(block));
      return 0;
    }
    const part = piece.subarray(at, at + room.length - this.#filled);
    room.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled === room.length) {
      this.#room = undefined;
      this.#then(room);
    }
    return part.length;
  }

  #collect(length: number, then: (data: Uint8Array) => void): void {
    if (length === 0) return then(new Uint8Array(0));
    this.#room = new Uint8Array(length);
    this.#filled = 0;
    this.#then = then;
  }

  #block(block: Uint8Array): void {
    if (isZero(block)) {
      this.#zeros += 1;
      return;
    }
    if (this.#zeros > 0) throw new ArchiveError("it is damaged: a block of zeros lies among its members");
    if (!isHeader(block)) throw new ArchiveError("it is not a tar archive, or damaged");
    // the piece that it lies in is the caller's
    const header = block.slice();
    switch (typeOf(header)) {
      case "x":
      case "X":
        return this.#text(header, (data) => {
          this.#records = new Map();
          readPax(data, this.#records);
        });
      case "g":
        return this.#text(header, (data) => this.#globals(data));
      case "L":
        return this.#text(header, (data) => {
          this.#longName = latin1(data).replace(/\0.*$/s, "");
        });
      case "K":
        return this.#text(header, (data) => {
          this.#longLink = latin1(data).replace(/\0.*$/s, "");
        });
      case "V":
        // the name of a volume
        return this.#text(header, () => undefined);
      default:
        return this.#begin(header);
    }
  }

  /** What a header has as its content, about other headers. */
  #text(header: Uint8Array, then: (data: Uint8Array) => void): void {
    const size = this.#sizeOf(header);
    if (size > this.limits.headers)
      throw new ArchiveError(
        `a pax header or long name has ${size} bytes: ${this.limits.headers} are allowed`,
      );
    this.#collect(size, (data) => {
      this.#drop = padding(size);
      then(data);
    });
  }

  #sizeOf(header: Uint8Array): number {
    const size = numberField(header, FIELD.size);
    if (size === undefined || size < 0) throw new ArchiveError("the size of a header is not a valid number");
    return size;
  }

  #globals(data: Uint8Array): void {
    this.#globalBytes += data.length;
    if (this.#globalBytes > this.limits.headers)
      throw new ArchiveError(`its global pax headers have more than ${this.limits.headers} bytes`);
    readPax(data, this.#global);
    for (const key of this.#global.keys())
      if (NOT_GLOBAL.test(key))
        throw new ArchiveError(`a global pax header has ${key}, which is for one member`);
  }

  #begin(header: Uint8Array): void {
    const records = this.#global.size === 0 ? this.#records : new Map([...this.#global, ...this.#records]);
    const before: Before = { records, longName: this.#longName, longLink: this.#longLink };
    this.#records = new Map();
    this.#longName = undefined;
    this.#longLink = undefined;
    const entry = { ...describeEntry(header, before), header, records };
    naming(entry.name, () => this.#member(entry));
  }

  #member(entry: Begun): void {
    const { header, records } = entry;
    const stored = lengthOf(header, records);
    const done: Done = (length, sparse) => this.#go({ ...entry, length, sparse });
    const real = given(records, "GNU.sparse.realsize") ?? given(records, "GNU.sparse.size");
    if (typeOf(header) === "S") return this.#oldSparse(entry, stored, done);
    if (real === undefined || entry.kind !== "file") return done(stored);
    if (given(records, "GNU.sparse.major") === "1")
      return this.#sparseContent(entry, decimal(real), stored, done);
    const map = readMapRecord(records.get("GNU.sparse.map") ?? "", this.limits.extents);
    done(stored, checkedMap(decimal(real), map, stored));
  }

  /** GNU's old format, with further blocks of the map behind the header. */
  #oldSparse({ header, name }: Begun, stored: number, done: Done): void {
    const extents: number[] = [];
    const goOn = (more: boolean): void => {
      if (extents.length > 2 * this.limits.extents) throw tooMany(this.limits.extents);
      if (!more) return done(stored, checkedMap(numberField(header, OLD_MAP.size), extents, stored));
      this.#collect(BLOCK, (block) => naming(name, () => goOn(readOldMap(block, OLD_MAP_GOES_ON, extents))));
    };
    goOn(readOldMap(header, OLD_MAP, extents));
  }

  /** pax format 1.0, with the map before the content. */
  #sparseContent({ name }: Begun, real: number, stored: number, done: Done): void {
    const reader = new MapReader(this.limits.extents);
    const goOn = (left: number): void => {
      if (left < 0) throw new ArchiveError("its map of a sparse file is malformed");
      this.#collect(BLOCK, (block) =>
        naming(name, () => {
          const extents = reader.push(block);
          if (extents === undefined) goOn(left - BLOCK);
          else done(left, checkedMap(real, extents, left));
        }),
      );
    };
    goOn(stored - BLOCK);
  }

  #go(entry: Entry): void {
    this.#entries.push(entry);
    this.#pool.add(plainHeader(entry.length));
    this.#padding = padding(entry.length);
    this.#pass = entry.length + this.#padding;
  }
}
