import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, pread, tryLockShared } from "../linux/file.ts";
import { fstat, isStillAt } from "../linux/stat.ts";
import { blobPath } from "./blobs.ts";

/**
 * Opens a blob and keeps it from being swept until the descriptor is closed (see sweep.ts); undefined where there is none,
 * or it is just being removed.
 */
export function holdBlob(root: string, digest: string): number | undefined {
  const path = blobPath(root, digest);
  let fd: number;
  try {
    fd = open(path, O.RDONLY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  if (tryLockShared(fd) && isStillAt(fd, path)) return fd;
  close(fd);
  return undefined;
}

/** As holdBlob, of one that must be there. Throws EngineError where it is missing. */
export function needBlob(root: string, digest: string): number {
  const fd = holdBlob(root, digest);
  if (fd === undefined)
    throw new EngineError(`blob ${digest} is missing from the store: pull the image anew`);
  return fd;
}

/** The digest of bytes, as `sha256:…`. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

/** Manifests and configurations longer than this are refused (the distribution spec's advice for registries). */
export const LONGEST_DOCUMENT = 4 << 20;

/** The bytes of a manifest or configuration in the store, verified. Throws EngineError where it is missing or damaged. */
export function readBlob(root: string, digest: string): Uint8Array {
  const fd = needBlob(root, digest);
  try {
    const bytes = new Uint8Array(Math.min(fstat(fd).size, LONGEST_DOCUMENT));
    let at = 0;
    while (at < bytes.length) {
      const got = pread(fd, bytes.subarray(at), at);
      if (got === 0) break;
      at += got;
    }
    if (digestOf(bytes.subarray(0, at)) !== digest)
      throw new EngineError(
        `blob ${digest} is damaged: remove ${blobPath(root, digest)} and pull the image anew`,
      );
    return bytes;
  } finally {
    close(fd);
  }
}
