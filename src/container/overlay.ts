import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { chmod, chown, close, lock, lockShared, mkdir, O, open, symlink } from "../linux/file.ts";
import { removeTree } from "../linux/folder.ts";
import { attachTree, cloneTree, fdPath, MNT_DETACH, mapIds, mount, umount } from "../linux/mount.ts";
import { exists, stat } from "../linux/stat.ts";
import { setTime } from "../linux/time.ts";
import type { IdMap } from "./idmap.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";

/** Makes overlay2/<id>: `lower` shows the image, `upper` and `work` are the container's own, `merged` its root. */
export function makeOverlay(paths: Paths, id: string, layers: readonly string[], idmap?: IdMap): void {
  const folder = paths.overlay(id);
  mkdir(folder, 0o700);
  const top = layers[0];
  if (top === undefined) throw new EngineError("a container needs at least one layer");
  symlink(top, `${folder}/lower`);
  mkdir(paths.upper(id), 0o755);
  // the root folder of a merged view is the upper's: it takes after the image's
  const { mode, uid, gid, mtime } = stat(top);
  if ((mode & 0o7777) !== 0o755) chmod(paths.upper(id), mode & 0o7777);
  const first = idmap?.base ?? 0;
  if (uid + first !== 0 || gid + first !== 0) chown(paths.upper(id), uid + first, gid + first);
  setTime(paths.upper(id), mtime);
  mkdir(paths.work(id), 0o700);
  if (idmap) mkdir(paths.mapped(id), 0o700);
  mkdir(paths.merged(id), 0o700);
}

/** Keeps a container's layer from being removed until the descriptor is closed: who removes it waits (csrc/monitor.c too). */
export function holdLayer(paths: Paths, id: string): number {
  const fd = open(paths.overlay(id), O.RDONLY | O.DIRECTORY);
  lockShared(fd);
  return fd;
}

/** Removes overlay2/<id>, once nobody reads it any more. */
export function removeLayer(paths: Paths, id: string): void {
  let fd: number;
  try {
    fd = open(paths.overlay(id), O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  lock(fd, true);
  removeTree(paths.overlay(id));
  close(fd);
}

/**
 * Mounts the overlay on `merged` (kernel: filesystems/overlayfs). A container that goes with its program is mounted
 * `volatile`: at its end its file system need not be synced.
 */
export function mountOverlay(paths: Paths, id: string, layers: readonly string[], throwaway: boolean): void {
  const lower = layers.map(escapeOption).join(":");
  const rest = `,upperdir=${escapeOption(paths.upper(id))},workdir=${escapeOption(paths.work(id))}${FEATURES}`;
  if (lower.length + rest.length < MOST_OPTIONS)
    return mountWith(paths, id, `lowerdir=${lower}${rest}`, throwaway);
  // names of three digits in place of long ones: 127 layers and more fit into a page
  const fds = layers.map((layer) => open(layer, O.PATH | O.DIRECTORY));
  try {
    mountWith(paths, id, `lowerdir=${fds.map(fdPath).join(":")}${rest}`, throwaway);
  } finally {
    for (const fd of fds) close(fd);
  }
}

/**
 * The same, where the container's users are not the host's: its layers are mounted through `users`, a user namespace, so that what
 * is root's in the image is its root's. Overlayfs takes only what is mounted somewhere, so for that moment they are; its
 * own layer has the host's ids from the start. Throws EngineError where the file system has no such mounts.
 */
export function mountMappedOverlay(
  paths: Paths,
  { id, layers, autoRemove }: ContainerRecord,
  users: number,
): void {
  const place = paths.mapped(id);
  unmountOverlay(paths, id);
  try {
    const within = layers.every((layer) => layer.startsWith(`${paths.root}/`));
    const source = within ? paths.root : layers[0];
    if (source === undefined || (!within && layers.length > 1))
      throw new EngineError(
        "cannot give the image's files to the container's users: its layers lie in different places",
      );
    mountMapped(source, place, users);
    const seen = layers.map((layer) => (within ? place + layer.slice(paths.root.length) : place));
    mountOverlay(paths, id, seen, autoRemove);
  } finally {
    unmountAll(place);
  }
}

function mountMapped(source: string, place: string, users: number): void {
  const from = open(source, O.PATH | O.DIRECTORY);
  const to = open(place, O.PATH | O.DIRECTORY);
  let tree: number | undefined;
  try {
    tree = cloneTree(from, false);
    mapIds(tree, users, false);
    attachTree(tree, to);
  } catch (error) {
    if (!isErrno(error, "EINVAL", "ENOSYS")) throw error;
    throw new EngineError(
      `the file system of ${source} has no id-mapped mounts (Linux 5.19 on ext4, xfs, btrfs; 6.3 on tmpfs), without which --userns cannot be`,
    );
  } finally {
    for (const fd of [from, to, tree]) if (fd !== undefined) close(fd);
  }
}

/** What of an image must not depend on how the host has set the kernel's module: a layer is then whole without the others. */
const FEATURES = ",redirect_dir=off,metacopy=off,index=off";
/** mount(2) takes a page of options; those of the last resort are put behind them. */
const MOST_OPTIONS = 4096 - ",volatile".length - "lowerdir=".length;

function mountWith(paths: Paths, id: string, data: string, throwaway: boolean): void {
  try {
    mount("overlay", paths.merged(id), "overlay", 0, throwaway ? `${data},volatile` : data);
  } catch (error) {
    if (!throwaway || !isErrno(error, "EINVAL")) throw explain(error);
    // kernels before 5.10 know no `volatile`
    mountWith(paths, id, data, false);
  }
}

function explain(error: unknown): unknown {
  if (!isErrno(error, "ENODEV", "EINVAL")) return error;
  const advice =
    error.code === "ENODEV"
      ? "this kernel has no overlay file system (modprobe overlay)"
      : "the state folder must lie on a file system that overlay can use as its upper layer (ext4, xfs, btrfs, tmpfs)";
  return new EngineError(`${error.message}: ${advice}`);
}

/** overlayfs: a colon separates lower folders and a comma options; both can be escaped. */
function escapeOption(path: string): string {
  return path.replace(/[\\:,]/g, "\\$&");
}

/**
 * Lets a layer that was once mounted `volatile` be mounted again: the kernel marks it, since after a crash of the machine it
 * may not be whole (filesystems/overlayfs, "Volatile mount"). Ours goes with its program, and is of this boot.
 */
export function forgetVolatile(paths: Paths, id: string): void {
  removeTree(`${paths.work(id)}/work/incompat`);
}

/** Unmounts `merged`, as often as it is mounted: those who were killed while it was may have left it so more than once. */
export function unmountOverlay(paths: Paths, id: string): void {
  if (exists(paths.mapped(id))) unmountAll(paths.mapped(id));
  unmountAll(paths.merged(id));
}

function unmountAll(place: string): void {
  try {
    for (;;) umount(place, MNT_DETACH);
  } catch (error) {
    if (!isErrno(error, "EINVAL", "ENOENT")) throw error;
  }
}

/**
 * The merged view of a container that does not run, as a descriptor that nothing else refers to: the mount goes when it
 * is closed, be it by `kill -9`. The caller holds the container's lock.
 */
export function openMerged(paths: Paths, id: string, layers: readonly string[]): number {
  unmountOverlay(paths, id);
  forgetVolatile(paths, id);
  mountOverlay(paths, id, layers, false);
  try {
    const merged = open(paths.merged(id), O.PATH | O.DIRECTORY);
    try {
      return cloneTree(merged, false);
    } finally {
      close(merged);
    }
  } finally {
    unmountOverlay(paths, id);
  }
}
