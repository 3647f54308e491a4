import { type ExtractEvents, extract } from "tar-stream";
import { HoleWriter } from "../../linux/holes.ts";
import { ArchiveError, named } from "./archive-error.ts";
import { deviceOf, type Entry, metadataOf } from "./entry.ts";
import { Frames } from "./frames.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { memberPath } from "./member-path.ts";
import { SparseContent } from "./sparse.ts";
import type { Metadata, TreeWriter } from "./tree-writer.ts";

/** What was unpacked: bytes of file content, number of members, and the newest mtime (ns since 1970). */
export interface Unpacked {
  /** Without the holes of sparse files. */
  readonly size: number;
  readonly members: number;
  readonly newest: bigint;
  /** What a pax global header says of the whole archive; bytes as characters. */
  readonly comment: string | undefined;
}

/** How an archive is read. */
export interface Rules {
  /** Whether absolute names are taken as ones below the root, or refused. */
  readonly absolute: boolean;
  /** Whether the archive may be empty, and lack the blocks of zeros at its end. */
  readonly mayLackEnd: boolean;
  /** Whether the member of this path is to be made; ArchiveError where it must not be there at all. */
  isMember(path: string): boolean;
}

type Stream = ReturnType<typeof extract>;
type Content = ExtractEvents["entry"][1];
/** Who takes the content of a file. */
type Sink = Pick<SparseContent, "write" | "end">;

/** tar-stream answers a member at once when it can: so many may nest before the stack is given back. */
const MOST_NESTED = 32;

/** Reads a tar, pushed in pieces, and has its members made by `writer`. */
export class Reader {
  readonly #extract: Stream = extract();
  readonly #frames: Frames;
  readonly #limits: Limits;
  #failure: unknown;
  #failed = false;
  #nested = 0;
  /** Bytes that were written, and bytes that members had: nobody takes those of a whiteout. */
  #size = 0;
  #content = 0;
  #members = 0;
  #newest = 0n;

  constructor(
    readonly writer: TreeWriter,
    readonly rules: Rules,
    limits: Partial<Limits>,
  ) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#frames = new Frames(this.#limits);
    this.#extract.on("error", (error: unknown) => this.#fail(error));
    this.#extract.on("entry", (_, content, next) => this.#entry(content, next));
  }

  /** Takes one piece and returns when it is written out. */
  async push(piece: Uint8Array): Promise<void> {
    let parts: readonly Uint8Array[] = [];
    try {
      parts = this.#frames.push(piece);
    } catch (error) {
      this.#fail(error);
    }
    for (const part of parts) {
      if (this.#failed) break;
      if (!this.#extract.write(part) && !this.#failed) await this.#event("drain");
    }
    if (this.#failed) throw this.#failure;
  }

  /** Ends the archive; throws where it is not whole. */
  async end(): Promise<void> {
    try {
      const filling = this.#frames.end(this.rules.mayLackEnd);
      if (filling.length > 0 && !this.#extract.write(filling) && !this.#failed) await this.#event("drain");
    } catch (error) {
      this.#fail(error);
    }
    this.#extract.end(undefined);
    if (!this.#failed) await this.#event("close");
    if (this.#failed) throw this.#failure;
    if (this.#members === 0 && !this.rules.mayLackEnd) throw new ArchiveError("it is an empty archive");
  }

  result(): Unpacked {
    const { comment } = this.#frames;
    return { size: this.#size, members: this.#members, newest: this.#newest, comment };
  }

  /** Waits for an event of the extractor, or its failure. */
  #event(name: string): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of [name, "close", "error"]) this.#extract.off(event, done);
        resolve();
      };
      for (const event of [name, "close", "error"]) this.#extract.on(event, done);
    });
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
    this.#extract.destroy(null);
  }

  #entry(content: Content, next: () => void): void {
    let entry: Entry;
    try {
      entry = this.#frames.next();
    } catch (error) {
      return this.#fail(error);
    }
    try {
      this.#count(entry);
      const sink = this.#member(entry);
      if (sink !== undefined) this.#size += entry.length;
      if (sink !== undefined && entry.length > 0) this.#write(entry.name, sink, content, next);
      else {
        sink?.end();
        this.#next(content, entry.length, next);
      }
    } catch (error) {
      this.#fail(named(error, entry.name));
    }
  }

  #count({ length }: Entry): void {
    this.#members += 1;
    this.#content += length;
    const { members, content } = this.#limits;
    if (this.#members > members) throw new ArchiveError(`it has more than ${members} members`);
    if (this.#content > content) throw new ArchiveError(`its files have more than ${content} bytes together`);
  }

  /** Makes the member; returns who takes the content of a file. */
  #member(entry: Entry): Sink | undefined {
    const { absolute } = this.rules;
    const path = memberPath(entry.name, "name", absolute);
    this.#checkDepth(path);
    if (!this.rules.isMember(path)) return undefined;
    const meta = metadataOf(entry, this.#limits);
    if (meta.mtime > this.#newest) this.#newest = meta.mtime;
    switch (entry.kind) {
      case "folder":
        this.writer.folder(path, meta);
        return undefined;
      case "symlink":
        if (entry.link === "") throw new ArchiveError("a symbolic link has no target");
        this.writer.symlink(path, entry.link, meta);
        return undefined;
      case "link":
        this.writer.hardLink(path, memberPath(entry.link, "hard link's target", absolute));
        return undefined;
      case "fifo":
        this.writer.special(path, "fifo", 0, 0, meta);
        return undefined;
      case "character-device":
      case "block-device":
        this.#device(path, entry.kind, entry.header, meta);
        return undefined;
      case "file":
        return this.#file(path, entry, meta);
      case "other":
        throw new ArchiveError("its type is not supported (it may be a part of a larger archive)");
    }
  }

  #checkDepth(path: string): void {
    // most paths are shorter than the limit, however their slashes lie
    const { depth } = this.#limits;
    if (path.length >= 2 * depth - 1 && path.split("/").length > depth)
      throw new ArchiveError(`it lies in more than ${depth - 1} folders`);
  }

  #device(path: string, type: "character-device" | "block-device", header: Uint8Array, meta: Metadata): void {
    const [major, minor] = deviceOf(header);
    // overlayfs's own mark for what is gone: as an image's node it could not be seen, and would hide a file below
    if (type === "character-device" && major === 0 && minor === 0) return;
    this.writer.special(path, type, major, minor, meta);
  }

  #file(path: string, { sparse }: Entry, meta: Metadata): Sink {
    const fd = this.writer.beginFile(path, meta);
    const content = sparse === undefined ? new HoleWriter(fd) : new SparseContent(fd, sparse);
    return {
      write: (data) => content.write(data),
      end: () => {
        content.end();
        this.writer.endFile();
      },
    };
  }

  #write(name: string, sink: Sink, content: Content, next: () => void): void {
    const guarded = (work: () => void): void => {
      if (this.#failed) return;
      try {
        work();
      } catch (error) {
        this.#fail(named(error, name));
      }
    };
    content.on("error", (error: unknown) => this.#fail(error));
    content.on("data", (data: unknown) => guarded(() => sink.write(data as Uint8Array)));
    content.on("end", () =>
      guarded(() => {
        sink.end();
        next();
      }),
    );
  }

  #next(content: Content, length: number, next: () => void): void {
    if (length > 0) {
      // content that nobody takes, as of a whiteout
      content.on("end", () => next());
      content.resume();
    } else if (this.#nested < MOST_NESTED) {
      this.#nested += 1;
      next();
      this.#nested -= 1;
    } else {
      queueMicrotask(() => {
        if (!this.#failed) next();
      });
    }
  }
}
