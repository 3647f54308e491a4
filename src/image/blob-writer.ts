import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import {
  close,
  lock,
  lockShared,
  mkdirAll,
  mkdirIfMissing,
  O,
  open,
  pread,
  read,
  rename,
  truncate,
  unlinkIfAny,
  writeAll,
} from "../linux/file.ts";
import { isHole } from "../linux/holes.ts";
import { fstat, isStillAt } from "../linux/stat.ts";
import { blobPath, blobsPath } from "./blobs.ts";
import { digestOf, holdBlob } from "./read-blob.ts";

/** Where blobs lie that are not whole yet, by digest; those whose digest is not known yet have names of their own. */
export function partialPath(root: string): string {
  return `${root}/blobs/partial`;
}

/** Makes the folders of blobs (mode 0700: what is in an image may be secret). */
export function makeBlobFolders(root: string): void {
  mkdirAll(root, 0o700);
  mkdirIfMissing(`${root}/blobs`, 0o700);
  mkdirIfMissing(blobsPath(root), 0o700);
  mkdirIfMissing(partialPath(root), 0o700);
}

const PIECE = 1 << 20;

/** A blob in the store; it is not swept until the descriptor is closed. */
export interface HeldBlob {
  readonly digest: string;
  readonly fd: number;
}

/**
 * A blob on its way into the store. Its file is locked: who wants the same blob waits, and one that a killed process left is
 * gone on with. Bytes only count once `finish` has verified them.
 */
export class BlobWriter {
  #hash = new Bun.CryptoHasher("sha256");
  #offset = 0;
  /** Whether the descriptor is ours to close. */
  #isOurs = true;

  constructor(
    readonly root: string,
    readonly path: string,
    readonly fd: number,
  ) {
    const buffer = new Uint8Array(PIECE);
    for (let got = pread(fd, buffer, 0); got > 0; got = pread(fd, buffer, this.#offset)) {
      this.#hash.update(buffer.subarray(0, got));
      this.#offset += got;
    }
  }

  /** How many bytes are there. */
  get offset(): number {
    return this.#offset;
  }

  write(piece: Uint8Array): void {
    // appended to: a hole is there as soon as the file is that much larger
    if (isHole(piece)) truncate(this.fd, this.#offset + piece.length);
    else writeAll(this.fd, piece);
    this.#hash.update(piece);
    this.#offset += piece.length;
  }

  /** Writes all that is yet to be read from a descriptor. */
  take(from: number): void {
    const buffer = new Uint8Array(PIECE);
    for (let got = read(from, buffer); got > 0; got = read(from, buffer)) this.write(buffer.subarray(0, got));
  }

  /** Begins anew, from nothing. */
  reset(): void {
    truncate(this.fd, 0);
    this.#hash = new Bun.CryptoHasher("sha256");
    this.#offset = 0;
  }

  /**
   * Verifies what was written against the digest (where one is given) and gives it its name. Returns the digest and the
   * descriptor, which keeps the blob from being swept and is the caller's; undefined where the bytes are not those, and nothing
   * is there now. What is thrown leaves the writer to be abandoned.
   */
  finish(): HeldBlob;
  finish(expected: string): HeldBlob | undefined;
  finish(expected?: string): HeldBlob | undefined {
    const digest = `sha256:${this.#hash.digest("hex")}`;
    if (expected !== undefined && digest !== expected) {
      this.reset();
      return undefined;
    }
    const present = holdBlob(this.root, digest);
    if (present !== undefined) {
      this.abandon();
      return { digest, fd: present };
    }
    // shared before it has its name: who looks for it by that must not take it for one being removed
    lockShared(this.fd);
    // flock(2): another process may have had the lock between the two, and finished the file
    const isNamed = isStillAt(this.fd, blobPath(this.root, digest));
    if (!isNamed && (!isStillAt(this.fd, this.path) || fstat(this.fd).size !== this.#offset))
      throw new EngineError(`blob ${digest} was removed while it was written: try again`);
    if (!isNamed) rename(this.path, blobPath(this.root, digest));
    this.#isOurs = false;
    return { digest, fd: this.fd };
  }

  /** Keeps what is there for who comes next. */
  leave(): void {
    if (this.#isOurs) close(this.fd);
    this.#isOurs = false;
  }

  /** Removes what was written. Does nothing once it is finished, or given up. */
  abandon(): void {
    if (this.#isOurs) unlinkIfAny(this.path);
    this.leave();
  }
}

/** Opens a writer for a blob of a digest not known yet. */
export function newBlob(root: string): BlobWriter {
  makeBlobFolders(root);
  for (;;) {
    const path = `${partialPath(root)}/.new-${crypto.randomUUID()}`;
    const fd = open(path, O.RDWR | O.CREAT | O.EXCL | O.APPEND | O.NOFOLLOW, 0o600);
    // a sweeper may have been quicker than the lock
    if (lock(fd, false) && isStillAt(fd, path)) return new BlobWriter(root, path, fd);
    close(fd);
  }
}

/** Puts a small blob into the store. Returns its digest and what keeps it. */
export function putBlob(root: string, bytes: Uint8Array): HeldBlob {
  makeBlobFolders(root);
  const digest = digestOf(bytes);
  const present = holdBlob(root, digest);
  if (present !== undefined) return { digest, fd: present };
  const writer = newBlob(root);
  try {
    writer.write(bytes);
    return writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

const PATIENCE_MS = 25;

/**
 * A blob of that digest: one that is there (a descriptor that keeps it), or a writer for it once nobody else has one.
 * `signal` ends the waiting with its reason.
 */
export async function wantBlob(
  root: string,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<number | BlobWriter> {
  makeBlobFolders(root);
  const path = `${partialPath(root)}/${digest.slice("sha256:".length)}`;
  for (;;) {
    signal?.throwIfAborted();
    const present = holdBlob(root, digest);
    if (present !== undefined) return present;
    const fd = openPartial(path);
    if (fd !== undefined && lock(fd, false)) {
      const blob = holdBlob(root, digest);
      if (isStillAt(fd, path)) {
        if (blob === undefined) return new BlobWriter(root, path, fd);
        // made by us, just after it had come from somebody else
        unlinkIfAny(path);
      }
      close(fd);
      if (blob !== undefined) return blob;
      continue;
    }
    if (fd !== undefined) close(fd);
    await Bun.sleep(PATIENCE_MS);
  }
}

/** For appending: what is there stays. */
function openPartial(path: string): number | undefined {
  try {
    return open(path, O.RDWR | O.CREAT | O.APPEND | O.NOFOLLOW, 0o600);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The size of a blob that is held. */
export function sizeOf(fd: number): number {
  return fstat(fd).size;
}
