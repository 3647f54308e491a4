import { isErrno } from "./errno.ts";
import { AT_FDCWD, close, O } from "./file.ts";
import { byteName, openName, readNames, unlinkName } from "./tree.ts";

/**
 * Removes `path` of the host with all that is below it; no error where it is missing. As removeTree, but for trees
 * that anybody may have filled: also with names that are no UTF-8. Links are never followed, mount points never
 * entered (EBUSY).
 */
export function removeTreeBytes(path: string): void {
  removeName(AT_FDCWD, byteName(path));
}

function removeName(dirfd: number, name: string): void {
  try {
    return unlinkName(dirfd, name, false);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    if (!isErrno(error, "EISDIR", "EPERM")) throw error;
  }
  const fd = openName(dirfd, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  try {
    for (const inner of readNames(fd)) removeName(fd, inner);
  } finally {
    close(fd);
  }
  try {
    unlinkName(dirfd, name, true);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
