import { close, O } from "../linux/file.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../linux/stat.ts";
import { openName, readNames, statName } from "../linux/tree.ts";

/** Bytes of content of the regular files below an open folder; a file with several names counts once. */
export function contentSize(root: number): number {
  const seen = new Set<string>();
  const below = (dirfd: number): number => {
    let sum = 0;
    for (const name of readNames(dirfd)) {
      const stat = statName(dirfd, name);
      const type = stat.mode & S_IFMT;
      if (type === S_IFDIR) {
        const fd = openName(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
        try {
          sum += below(fd);
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
    return below(fd);
  } finally {
    close(fd);
  }
}
