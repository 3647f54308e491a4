import { isErrno } from "../linux/errno.ts";
import { close, O } from "../linux/file.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../linux/stat.ts";
import { openName, readNames, statIfAny } from "../linux/tree.ts";

/** Each folder on the way down takes a descriptor, and a container can make them as deep as it likes: below, nothing is counted. */
const DEEPEST = 500;

/**
 * Bytes of content of the regular files below an open folder; a file with several names counts once. What goes meanwhile, as
 * below a container that runs, does not count.
 */
export function contentSize(root: number): number {
  const seen = new Set<string>();
  const below = (dirfd: number, depth: number): number => {
    let sum = 0;
    for (const name of depth < DEEPEST ? readNames(dirfd) : []) {
      const stat = statIfAny(dirfd, name);
      if (stat === undefined) continue;
      const type = stat.mode & S_IFMT;
      if (type === S_IFDIR) {
        const fd = openFolder(dirfd, name);
        if (fd === undefined) continue;
        try {
          sum += below(fd, depth + 1);
        } finally {
          close(fd);
        }
      } else if (type === S_IFREG && !(stat.nlink > 1 && seen.has(stat.file))) {
        seen.add(stat.file);
        sum += stat.size;
      }
    }
    return sum;
  };
  // of its own: the position in the folder belongs to the open description
  const fd = openName(root, ".", O.RDONLY | O.DIRECTORY);
  try {
    return below(fd, 0);
  } finally {
    close(fd);
  }
}

/** Undefined where it is gone, or something else by now. */
function openFolder(dirfd: number, name: string): number | undefined {
  try {
    return openName(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}
