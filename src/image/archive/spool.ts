import { extract, type Header } from "tar-stream";
import { EngineError } from "../../linux/errors.ts";
import { close, pread } from "../../linux/file.ts";
import { fstat, isRegular } from "../../linux/stat.ts";
import { type HeldBlob, newBlob, putBlob, sizeOf } from "../blob-writer.ts";
import { holdBlob, LONGEST_DOCUMENT } from "../read-blob.ts";
import { abortable } from "../tar/abortable.ts";
import { ArchiveError } from "../tar/archive-error.ts";
import { openSource, openStream } from "../tar/source.ts";
import { type ArchiveFiles, missing, plainName, tooLong } from "./files.ts";

/** An archive of images has a few files for each layer; what has more than this is something else. */
const MOST_MEMBERS = 50_000;
/** Files up to this many bytes are kept in memory, all of them together up to that many. */
const SMALL = 1 << 20;
const MOST_SMALL = 48 << 20;
/** Of the others each takes a descriptor. */
const MOST_LARGE = 800;
const MOST_LINKS = 8;
/** Bytes that are no file's, as behind the end of the archive. */
const MOST_BEHIND = 256 << 20;

/**
 * The files of an archive that is read once from its beginning to its end, be it from a pipe: each becomes a blob of the
 * store, as which of them are layers is told at the end only. Throws EngineError where it is no tar, or cut short.
 */
export async function spoolArchive(
  root: string,
  fd: number,
  signal: AbortSignal | undefined,
): Promise<ArchiveFiles> {
  const spool = new Spool(root);
  try {
    await spool.take(fd, signal);
    return spool;
  } catch (error) {
    spool.close();
    const words = error instanceof ArchiveError ? error.message : tarWords(error);
    if (words === undefined) throw error;
    throw new EngineError(`cannot read the archive: ${words}`, 125, { cause: error });
  }
}

/** What tar-stream found wrong, in our words. */
function tarWords(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : "";
  if (message === "Unexpected end of data") return "it is cut short";
  return /^(Invalid (tar )?header|Header exceeds max size)/.test(message)
    ? "it is not a tar archive, or damaged"
    : undefined;
}

class Spool implements ArchiveFiles {
  /** Documents and small layers are kept in memory: an archive has many of them. */
  readonly #small = new Map<string, Uint8Array>();
  readonly #large = new Map<string, HeldBlob>();
  /** Links, with which older Dockers save layers that several images share. */
  readonly #links = new Map<string, string>();
  #bytes = 0;
  /** How much has come since the last piece of a file. */
  #idle = 0;

  constructor(readonly root: string) {}

  async take(fd: number, signal: AbortSignal | undefined): Promise<void> {
    const source = isRegular(fstat(fd)) ? openSource(fd, undefined, "none") : await openStream(fd, signal);
    const reader = extract({} as object);
    const feed = async (): Promise<void> => {
      for await (const piece of abortable(source.pieces, signal)) {
        if (reader.destroyed) return;
        this.#idle += piece.length;
        if (this.#idle > MOST_BEHIND)
          throw new ArchiveError("there is no end to what stands behind its files");
        if (!reader.write(piece)) await settled(reader, ["drain", "close"]);
      }
      reader.end(undefined);
    };
    const fed = feed().catch((error: unknown) =>
      reader.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    for await (const entry of reader) {
      await this.#member(entry.header, entry as AsyncIterable<Uint8Array>);
      entry.resume();
    }
    await fed;
  }

  async #member(header: Header, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { name, type, linkname, size = 0 } = header;
    this.#idle = 0;
    const key = plainName(name);
    // a later member of a name takes the place of an earlier one, whatever that was
    this.#forget(key);
    if (this.#small.size + this.#links.size + this.#large.size >= MOST_MEMBERS)
      throw notImage("it has too many members");
    if (type === "symlink") this.#links.set(key, plainName(`${key}/../${linkname ?? ""}`));
    else if (type === "link") this.#links.set(key, plainName(linkname ?? ""));
    else if (type !== "file" && type !== "contiguous-file") return;
    else if (size <= SMALL) await this.#keep(key, size, content);
    else await this.#store(key, size, content);
  }

  #forget(key: string): void {
    const large = this.#large.get(key);
    if (large !== undefined) close(large.fd);
    this.#large.delete(key);
    this.#bytes -= this.#small.get(key)?.length ?? 0;
    this.#small.delete(key);
    this.#links.delete(key);
  }

  async #keep(key: string, size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.#bytes += size;
    if (this.#bytes > MOST_SMALL) throw notImage("it has too many small files");
    const bytes = new Uint8Array(size);
    let at = 0;
    for await (const piece of content) {
      bytes.set(piece, at);
      at += piece.length;
    }
    if (at !== size) throw new ArchiveError("it is cut short");
    this.#small.set(key, bytes);
  }

  async #store(key: string, size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#large.size >= MOST_LARGE) throw notImage("it has too many large files");
    const writer = newBlob(this.root);
    try {
      for await (const piece of content) {
        this.#idle = 0;
        writer.write(piece);
      }
      if (writer.offset !== size) throw new ArchiveError("it is cut short");
      this.#large.set(key, writer.finish());
    } catch (error) {
      writer.abandon();
      throw error;
    }
  }

  #find(name: string): Uint8Array | HeldBlob | undefined {
    let key: string | undefined = plainName(name);
    for (let hops = 0; hops < MOST_LINKS && key !== undefined; hops++) {
      const found = this.#small.get(key) ?? this.#large.get(key);
      if (found !== undefined) return found;
      key = this.#links.get(key);
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  read(name: string): Uint8Array {
    const found = this.#find(name);
    if (found === undefined) throw missing(name);
    return found instanceof Uint8Array ? found : readDocument(found, name);
  }

  bring(name: string): HeldBlob {
    const found = this.#find(name);
    if (found === undefined) throw missing(name);
    if (found instanceof Uint8Array) return putBlob(this.root, found);
    const fd = holdBlob(this.root, found.digest);
    if (fd === undefined) throw missing(name);
    return { digest: found.digest, fd };
  }

  close(): void {
    for (const { fd } of this.#large.values()) close(fd);
    this.#large.clear();
  }
}

function readDocument({ fd }: HeldBlob, name: string): Uint8Array {
  const size = sizeOf(fd);
  if (size > LONGEST_DOCUMENT) throw tooLong(name);
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const got = pread(fd, bytes.subarray(at), at);
    if (got === 0) throw missing(name);
    at += got;
  }
  return bytes;
}

function notImage(why: string): EngineError {
  return new EngineError(
    `it is no archive of images: ${why}; 'mydocker import' takes the archive of a root file system`,
  );
}

/** Resolves at the first of these events. */
function settled(emitter: NodeJS.EventEmitter, events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) emitter.off(event, done);
      resolve();
    };
    for (const event of events) emitter.on(event, done);
  });
}
