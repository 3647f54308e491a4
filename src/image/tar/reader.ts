import { type ExtractEvents, extract, type Header } from "tar-stream";
import { SysError } from "../../linux/errno.ts";
import { writeAll } from "../../linux/file.ts";
import { readable } from "../../linux/tree.ts";
import { ArchiveError } from "./archive-error.ts";
import { memberPath } from "./member-path.ts";
import { paxTime, readPax, xattrName } from "./pax.ts";
import type { Metadata, SpecialType, TreeWriter } from "./tree-writer.ts";

/** What was unpacked: bytes of file content, number of members, and the newest mtime (ns since 1970). */
export interface Unpacked {
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

/** What tar-stream's types leave out. */
const OPTIONS = { filenameEncoding: "latin1" } as object;
type Member = Omit<Header, "type"> & { readonly type: Header["type"] | null; readonly byteOffset?: number };

/** The parts of tar-stream's extractor that see a pax header as bytes; its own reading takes them for UTF-8. */
interface LongHeaders {
  _header: { readonly type: string };
  _decodeLongHeader(data: Uint8Array): void;
}

/** tar-stream answers a member at once when it can: so many may nest before the stack is given back. */
const MOST_NESTED = 32;

/** Reads a tar, pushed in pieces, and has its members made by `writer`. */
export class Reader {
  readonly #extract: Stream = extract(OPTIONS);
  readonly #global = new Map<string, string>();
  #pax = new Map<string, string>();
  #failure: unknown;
  #failed = false;
  #nested = 0;
  #fed = 0;
  /** Where the content of the last member ends in the archive, with its padding. */
  #end = 0;
  #tail: Uint8Array = new Uint8Array(0);
  #size = 0;
  #members = 0;
  #newest = 0n;

  constructor(
    readonly writer: TreeWriter,
    readonly rules: Rules,
  ) {
    const inner = this.#extract as unknown as LongHeaders;
    const decode = inner._decodeLongHeader;
    // pax values are bytes (file capabilities, names that are no UTF-8): read before tar-stream mangles them
    inner._decodeLongHeader = (data) => {
      if (inner._header.type === "pax-header") readPax(data, this.#pax);
      if (inner._header.type === "pax-global-header") readPax(data, this.#global);
      decode.call(inner, data);
    };
    this.#extract.on("error", (error: unknown) => this.#fail(error));
    this.#extract.on("entry", (header, content, next) => this.#entry(header, content, next));
  }

  /** Takes one piece and returns when it is written out. */
  async push(piece: Uint8Array): Promise<void> {
    this.#fed += piece.length;
    this.#tail = piece.length >= 512 ? piece.subarray(-512) : join(this.#tail, piece).slice(-512);
    if (!this.#extract.write(piece) && !this.#failed) await this.#event("drain");
    if (this.#failed) throw this.#failure;
  }

  /** Ends the archive; throws where it is not whole. */
  async end(): Promise<void> {
    this.#extract.end(undefined);
    if (!this.#failed) await this.#event("close");
    if (this.#failed) throw this.#failure;
    if (this.rules.mayLackEnd) return;
    // POSIX pax: two blocks of zeros end it. One is asked for, as all of the world's readers do
    const marked =
      this.#fed >= this.#end + 512 && this.#tail.length === 512 && this.#tail.every((byte) => byte === 0);
    if (!marked) throw new ArchiveError("it is cut short: the end of the archive is missing");
    if (this.#members === 0) throw new ArchiveError("it is an empty archive");
  }

  result(): Unpacked {
    const comment = this.#global.get("comment");
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
    this.#failure = explained(error);
    this.#extract.destroy(null);
  }

  #entry(header: Member, content: Content, next: () => void): void {
    let name = header.name;
    try {
      const pax = new Map([...this.#global, ...this.#pax]);
      this.#pax.clear();
      name = pax.get("path") ?? name;
      const length = header.type === "directory" ? 0 : (header.size ?? 0);
      this.#end = (header.byteOffset ?? 0) + Math.ceil(length / 512) * 512;
      this.#members += 1;
      if (this.#member(header, name, pax)) this.#content(name, content, next);
      else this.#next(content, length, next);
    } catch (error) {
      this.#fail(named(error, name));
    }
  }

  /** Makes the member; true where its content is to follow. */
  #member(header: Member, name: string, pax: ReadonlyMap<string, string>): boolean {
    const path = memberPath(name, "name", this.rules.absolute);
    if (!this.rules.isMember(path)) return false;
    const target = pax.get("linkpath") ?? header.linkname ?? "";
    const meta = metadataOf(header, pax);
    if (meta.mtime > this.#newest) this.#newest = meta.mtime;
    for (const key of pax.keys())
      if (key.startsWith("GNU.sparse.")) throw new ArchiveError("sparse files are not supported");
    switch (header.type) {
      case "directory":
        this.writer.folder(path, meta);
        return false;
      case "symlink":
        if (target === "") throw new ArchiveError("a symbolic link has no target");
        this.writer.symlink(path, target, meta);
        return false;
      case "link":
        this.writer.hardLink(path, memberPath(target, "hard link's target", this.rules.absolute));
        return false;
      case "character-device":
      case "block-device":
      case "fifo":
        this.#special(path, header.type, header.devmajor ?? 0, header.devminor ?? 0, meta);
        return false;
      case "file":
      case "contiguous-file":
        return this.#file(path, header.size ?? 0, meta);
      default:
        throw new ArchiveError("its type is not supported (a sparse file, or a part of a larger archive)");
    }
  }

  #special(path: string, type: SpecialType, major: number, minor: number, meta: Metadata): void {
    // overlayfs's own mark for what is gone: as an image's node it could not be seen, and would hide a file below
    if (type === "character-device" && major === 0 && minor === 0) return;
    this.writer.special(path, type, major, minor, meta);
  }

  #file(path: string, size: number, meta: Metadata): boolean {
    this.#size += size;
    this.#fd = this.writer.beginFile(path, meta);
    if (size === 0) this.writer.endFile();
    return size > 0;
  }

  #fd = -1;

  #content(name: string, content: Content, next: () => void): void {
    const fd = this.#fd;
    const guarded = (work: () => void): void => {
      if (this.#failed) return;
      try {
        work();
      } catch (error) {
        this.#fail(named(error, name));
      }
    };
    content.on("error", (error: unknown) => this.#fail(error));
    content.on("data", (data: unknown) => guarded(() => writeAll(fd, data as Uint8Array)));
    content.on("end", () =>
      guarded(() => {
        this.writer.endFile();
        next();
      }),
    );
  }

  #next(content: Content, length: number, next: () => void): void {
    if (length > 0) {
      // a member that has no content by its type: what is there is skipped, as other readers do
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

function metadataOf(header: Member, pax: ReadonlyMap<string, string>): Metadata {
  const number = (key: string, otherwise: number | null | undefined): number => {
    const value = Number(pax.get(key) ?? otherwise ?? 0);
    // chown(2) takes 32 bits, and -1 would mean "leave as it is"
    if (!Number.isInteger(value) || value < 0 || value >= 0xffffffff)
      throw new ArchiveError(`its ${key} is not a valid number`);
    return value;
  };
  const seconds = header.mtime?.getTime() ?? 0;
  const whole = Number.isFinite(seconds) ? BigInt(Math.trunc(seconds)) * 1_000_000n : 0n;
  const xattrs: [string, string][] = [];
  for (const [key, value] of pax) if (key.startsWith("SCHILY.xattr.")) xattrs.push([xattrName(key), value]);
  return {
    mode: (header.mode ?? 0) & 0o7777,
    uid: number("uid", header.uid),
    gid: number("gid", header.gid),
    mtime: paxTime(pax.get("mtime") ?? "") ?? whole,
    xattrs,
  };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The same error, with the member's name before it. */
function named(error: unknown, name: string): unknown {
  const member = JSON.stringify(readable(name).slice(0, 200));
  if (error instanceof ArchiveError) return new ArchiveError(`${member}: ${error.message}`, { cause: error });
  // a full disk and the like are not the archive's fault: they keep their code
  if (!(error instanceof SysError) || HOSTS_FAULT.has(error.code)) return error;
  return new ArchiveError(`${member}: ${error.message}`, { cause: error });
}

const HOSTS_FAULT: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE"]);

/** What tar-stream found wrong, in our words; other errors are no plain ones and stay as they are. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "Error") return error;
  const { message } = error;
  if (message === "Unexpected end of data") return new ArchiveError("it is cut short", { cause: error });
  if (message.startsWith("Invalid tar header"))
    return new ArchiveError("it is not a tar archive, or damaged");
  return new ArchiveError(message, { cause: error });
}
