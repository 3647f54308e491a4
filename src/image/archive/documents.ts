import { EngineError } from "../../linux/errors.ts";
import { type Descriptor, type ImageDocument, parseDocument } from "../document.ts";
import { digestOf } from "../read-blob.ts";
import type { ArchiveFiles } from "./files.ts";

/** All documents of an archive together: thousands of images have no more. */
const MOST_BYTES = 32 << 20;

/** Where a blob is in an OCI layout. */
export function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

/** The documents of an archive: each is read, verified and parsed once, however often it is named, and they are bounded. */
export class Documents {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #digests = new Map<string, string>();
  readonly #configs = new Map<string, ImageDocument>();
  #total = 0;

  constructor(readonly files: ArchiveFiles) {}

  /** Throws EngineError where it is missing, or too much. */
  read(name: string): Uint8Array {
    const known = this.#bytes.get(name);
    if (known !== undefined) return known;
    const bytes = this.files.read(name);
    this.#total += bytes.length;
    if (this.#total > MOST_BYTES)
      throw new EngineError("it is no archive of images: its documents are too long together");
    this.#bytes.set(name, bytes);
    return bytes;
  }

  digest(name: string): string {
    const known = this.#digests.get(name);
    if (known !== undefined) return known;
    const digest = digestOf(this.read(name));
    this.#digests.set(name, digest);
    return digest;
  }

  /** The bytes that a descriptor names. Throws EngineError where they are others. */
  verified({ digest, size }: Descriptor): Uint8Array {
    const name = blobName(digest);
    const bytes = this.read(name);
    if (this.digest(name) !== digest)
      throw new EngineError(`the archive is damaged: ${name} has another digest than its name says`);
    if (bytes.length !== size)
      throw new EngineError(`the archive is damaged: ${name} has ${bytes.length} bytes, not ${size}`);
    return bytes;
  }

  /** The configuration of an image in the file of that name. */
  config(name: string): ImageDocument {
    const known = this.#configs.get(name);
    if (known !== undefined) return known;
    const document = parseDocument(this.read(name));
    this.#configs.set(name, document);
    return document;
  }
}
