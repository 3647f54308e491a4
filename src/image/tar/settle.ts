import { isErrno } from "../../linux/errno.ts";
import { close, O } from "../../linux/file.ts";
import { S_IFCHR, S_IFDIR, S_IFMT } from "../../linux/stat.ts";
import {
  chmodFd,
  chownFd,
  mknodName,
  openName,
  setTimeFd,
  setTimeName,
  statIfAny,
  statName,
  unlinkName,
} from "../../linux/tree.ts";
import { readXattr, readXattrs, removeXattr, writeXattr } from "../../linux/xattr.ts";
import type { LayerResult } from "./layer.ts";
import { isWhiteout } from "./layer-form.ts";
import { LowerLayers, openPlain } from "./lower.ts";
import { splitPath } from "./member-path.ts";
import { belongsToImage, OVERLAY_OPAQUE } from "./xattr-policy.ts";

/**
 * The second half of `unpackLayer`, when the layers below (`lower`, the top one first, settled themselves) are there:
 * whiteouts of what they do not have are dropped, and folders that the layer has no member for get the mode, owner,
 * extended attributes and time that the folder below has, or stay as they are where it has none. It can be done again. Throws SysError.
 */
export function settleLayer(
  root: number,
  lower: readonly number[],
  { implicit, whiteouts }: Pick<LayerResult, "implicit" | "whiteouts">,
): void {
  const below = new LowerLayers(lower);
  for (const path of whiteouts) if (below.find(path) === undefined) dropWhiteout(root, path);
  spreadOpaqueRoot(root, below);
  // the deepest first: a folder may have become empty by what was dropped from it
  for (const path of [...implicit].sort().reverse()) {
    const found = below.find(path);
    const folder = found !== undefined && (found.stat.mode & S_IFMT) === S_IFDIR ? found : undefined;
    if (folder !== undefined) takeAfter(root, path, folder.layer);
    else if (path !== "") dropIfEmpty(root, path);
  }
}

/**
 * overlayfs does not look at the mark of an opaque folder on the root of a layer: there each thing that is seen below gets
 * a whiteout, or is a folder here and then opaque.
 */
function spreadOpaqueRoot(root: number, below: LowerLayers): void {
  if (readXattr([root, "."], OVERLAY_OPAQUE) !== "y") return;
  const { mtime } = statName(root, "");
  for (const name of below.rootNames()) {
    const stat = statIfAny(root, name);
    if (stat === undefined) mknodName(root, name, S_IFCHR, 0, 0);
    else if ((stat.mode & S_IFMT) === S_IFDIR) writeXattr([root, name], OVERLAY_OPAQUE, "y");
  }
  removeXattr([root, "."], OVERLAY_OPAQUE);
  setTimeName(root, ".", mtime);
}

/** Runs `remove` on the folder that `path` lies in, whose time it does not change, and the rest of the path. */
function inParent(root: number, path: string, remove: (dirfd: number, name: string) => void): void {
  const [folder, name] = splitPath(path);
  let dirfd: number;
  try {
    dirfd = openPlain(root, folder);
  } catch (error) {
    // by somebody who came this far, and then did not get to the end
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  try {
    const { mtime } = statName(dirfd, "");
    remove(dirfd, name);
    setTimeName(dirfd, ".", mtime);
  } finally {
    close(dirfd);
  }
}

function dropWhiteout(root: number, path: string): void {
  inParent(root, path, (dirfd, name) => {
    const stat = statIfAny(dirfd, name);
    if (stat !== undefined && isWhiteout(stat)) unlinkName(dirfd, name, false);
  });
}

/** Only whiteouts were in a folder that is empty now, and nothing is below it: then it is none of the image's. */
function dropIfEmpty(root: number, path: string): void {
  try {
    inParent(root, path, (dirfd, name) => unlinkName(dirfd, name, true));
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY", "ENOENT")) throw error;
  }
}

function takeAfter(root: number, path: string, layer: number): void {
  const from = openPlain(layer, path);
  try {
    const { mode, uid, gid, mtime } = statName(from, "");
    const handle = openPlain(root, path);
    const to = openName(handle, ".", O.RDONLY | O.DIRECTORY);
    close(handle);
    try {
      chownFd(to, uid, gid);
      chmodFd(to, mode & 0o7777);
      for (const [name, value] of readXattrs([from, "."]))
        if (belongsToImage(name)) writeXattr(to, name, value);
      setTimeFd(to, mtime);
    } finally {
      close(to);
    }
  } finally {
    close(from);
  }
}
