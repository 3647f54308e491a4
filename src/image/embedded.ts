import { EngineError } from "../linux/errors.ts";
import { close, O, open, pread } from "../linux/file.ts";
import { fstat } from "../linux/stat.ts";

/**
 * The image that the program carries lies behind the executable: the tar, its length (64 bits, little endian),
 * and this mark. Embedded by the bundler it would be loaded at every start, at 0.9 ms.
 */
export const ARCHIVE_MARK = "mydocker-image-1";

/** What build.ts appends to the executable, so that `embeddedArchive` finds it. */
export function archiveTrailer(length: number): Uint8Array {
  const trailer = Buffer.alloc(8 + ARCHIVE_MARK.length);
  trailer.writeBigUInt64LE(BigInt(length));
  trailer.write(ARCHIVE_MARK, 8, "latin1");
  return trailer;
}

/** The stored bytes of the image that the program carries (a tar; see busybox-rootfs.ts). */
export function embeddedArchive(executable = "/proc/self/exe"): Uint8Array {
  const fd = open(executable, O.RDONLY);
  try {
    const { size } = fstat(fd);
    const trailer = Buffer.alloc(8 + ARCHIVE_MARK.length);
    const at = Math.max(size - trailer.length, 0);
    readFully(fd, trailer, at);
    const length = Number(trailer.readBigUInt64LE());
    if (trailer.toString("latin1", 8) !== ARCHIVE_MARK || length > at)
      throw new EngineError(
        "the built-in image is missing: this executable was cut short or stripped; build it anew",
      );
    const archive = new Uint8Array(length);
    readFully(fd, archive, at - length);
    return archive;
  } finally {
    close(fd);
  }
}

function readFully(fd: number, into: Uint8Array, from: number): void {
  for (let done = 0; done < into.length; ) {
    const got = pread(fd, into.subarray(done), from + done);
    if (got === 0) throw new EngineError("the executable was cut short while it was read");
    done += got;
  }
}
