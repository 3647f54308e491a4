import { pwrite, truncate } from "../../linux/file.ts";
import { ArchiveError } from "./archive-error.ts";
import { latin1, numberField } from "./fields.ts";

/** Where the stored bytes of a sparse file belong: offsets and lengths in turn. Between them are holes. */
export interface SparseMap {
  readonly size: number;
  readonly extents: readonly number[];
}

const bad = (): ArchiveError => new ArchiveError("its map of a sparse file is malformed");

/** The map, when it is sound: in order, within the file, and for exactly the `stored` bytes. */
export function checkedMap(size: number | undefined, extents: readonly number[], stored: number): SparseMap {
  let end = 0;
  let total = 0;
  for (let i = 0; i + 1 < extents.length; i += 2) {
    const [offset = -1, length = -1] = [extents[i], extents[i + 1]];
    if (!(offset >= end && length >= 0)) throw bad();
    end = offset + length;
    total += length;
  }
  const sound = size !== undefined && Number.isSafeInteger(end) && end <= size && total === stored;
  if (!sound || extents.length % 2 !== 0) throw bad();
  return { size, extents };
}

/** GNU's old format (GNU tar, "Old GNU Format"): where the header block has the map's first entries, and the real size. */
export const OLD_MAP = { at: 386, entries: 4, more: 482, size: [483, 12] } as const;
/** The same of the blocks that follow while `more` says so. */
export const OLD_MAP_GOES_ON = { at: 0, entries: 21, more: 504 } as const;

/** Adds the entries of one such block; true where another one follows. */
export function readOldMap(
  block: Uint8Array,
  { at, entries, more }: typeof OLD_MAP | typeof OLD_MAP_GOES_ON,
  extents: number[],
): boolean {
  for (let i = 0; i < entries; i++) {
    const place = at + i * 24;
    // an empty offset ends the list; 0 is written in digits
    if (block[place] === 0) break;
    const offset = numberField(block, [place, 12]);
    const length = numberField(block, [place + 12, 12]);
    if (offset === undefined || length === undefined) throw bad();
    extents.push(offset, length);
  }
  return block[more] !== 0;
}

/** The map of pax formats 0.0 (as `readPax` joins it) and 0.1: decimal numbers with commas between them. */
export function readMapRecord(text: string, most: number): number[] {
  if (text === "") return [];
  const parts = text.split(",", 2 * most + 1);
  if (parts.length > 2 * most) throw tooMany(most);
  return parts.map(decimal);
}

/** A decimal number of a map or record. */
export function decimal(text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw bad();
  return value;
}

/** The map of pax format 1.0, which stands in lines before the file's content: how many entries, then each. */
export class MapReader {
  #line = "";
  #numbers: number[] = [];
  #wanted: number | undefined;

  constructor(readonly most: number) {}

  /** Takes the next block; the map when that was the last one. */
  push(block: Uint8Array): readonly number[] | undefined {
    const lines = `${this.#line}${latin1(block)}`.split("\n");
    for (const line of lines.slice(0, -1)) {
      const value = decimal(line);
      if (this.#wanted === undefined) this.#wanted = value * 2;
      else this.#numbers.push(value);
      if (this.#wanted > 2 * this.most) throw tooMany(this.most);
      if (this.#numbers.length === this.#wanted) return this.#numbers;
    }
    this.#line = lines.at(-1) ?? "";
    if (this.#line.length > 32) throw bad();
    return undefined;
  }
}

export function tooMany(most: number): ArchiveError {
  return new ArchiveError(`it is a sparse file in more than ${most} pieces`);
}

/** Writes a sparse file's stored bytes to where they belong. */
export class SparseContent {
  #entry = 0;
  #done = 0;

  constructor(
    readonly fd: number,
    readonly map: SparseMap,
  ) {}

  write(data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      const [offset = 0, length = 0] = this.map.extents.slice(this.#entry, this.#entry + 2);
      const left = length - this.#done;
      if (this.#entry >= this.map.extents.length) throw bad();
      if (left === 0) {
        this.#entry += 2;
        this.#done = 0;
        continue;
      }
      const done = pwrite(this.fd, data.subarray(at, at + left), offset + this.#done);
      at += done;
      this.#done += done;
    }
  }

  /** Gives the file its size: it may end in a hole. */
  end(): void {
    truncate(this.fd, this.map.size);
  }
}
