import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, O, open, openIn, RESOLVE, readAll } from "../../linux/file.ts";
import { fstat, isRegular } from "../../linux/stat.ts";
import { type HeldBlob, newBlob } from "../blob-writer.ts";
import { show } from "../document.ts";
import { LONGEST_DOCUMENT } from "../read-blob.ts";
import { type ArchiveFiles, missing, plainName, tooLong } from "./files.ts";

/** The files of an OCI layout, or an unpacked docker-archive, in a folder of the host. Nothing outside of it is read. */
export function openLayoutFolder(root: string, folder: string): ArchiveFiles {
  return new LayoutFolder(root, open(folder, O.PATH | O.DIRECTORY));
}

class LayoutFolder implements ArchiveFiles {
  constructor(
    readonly root: string,
    readonly folder: number,
  ) {}

  #open(name: string): number | undefined {
    let fd: number;
    try {
      fd = openIn(
        this.folder,
        plainName(name),
        O.RDONLY | O.NONBLOCK | O.NOCTTY,
        0,
        RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS,
      );
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      if (!isErrno(error, "ELOOP", "EXDEV", "ENAMETOOLONG", "EINVAL", "ENXIO")) throw error;
      const why = error.code === "EXDEV" ? "it leads out of its folder" : error.code;
      throw new EngineError(`cannot read the layout: ${show(name)}: ${why}`, 125, { cause: error });
    }
    if (isRegular(fstat(fd))) return fd;
    close(fd);
    throw new EngineError(`cannot read the layout: ${show(name)} is no regular file`);
  }

  #need(name: string): number {
    const fd = this.#open(name);
    if (fd === undefined) throw missing(name);
    return fd;
  }

  has(name: string): boolean {
    const fd = this.#open(name);
    if (fd !== undefined) close(fd);
    return fd !== undefined;
  }

  read(name: string): Uint8Array {
    const fd = this.#need(name);
    try {
      return readAll(fd, LONGEST_DOCUMENT);
    } catch (error) {
      throw isErrno(error, "EFBIG") ? tooLong(name) : error;
    } finally {
      close(fd);
    }
  }

  bring(name: string): HeldBlob {
    const fd = this.#need(name);
    const writer = newBlob(this.root);
    try {
      writer.take(fd);
      return writer.finish();
    } catch (error) {
      writer.abandon();
      throw error;
    } finally {
      close(fd);
    }
  }

  close(): void {
    close(this.folder);
  }
}
