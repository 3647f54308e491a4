import { contentSize } from "../image/tree-size.ts";
import { isErrno } from "../linux/errno.ts";
import { close, O, open } from "../linux/file.ts";
import type { Paths } from "./paths.ts";
import { volumePaths } from "./volumes.ts";

/** Bytes of content of a volume; 0 where it is removed meanwhile. */
export function volumeSize(paths: Paths, name: string): number {
  let data: number;
  try {
    data = open(volumePaths(paths).data(name), O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
  try {
    return contentSize(data);
  } finally {
    close(data);
  }
}
