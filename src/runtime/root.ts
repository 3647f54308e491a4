import { isErrno, SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { chown, close, mkdir, O, open, openIn, symlink, unlink } from "../linux/file.ts";
import {
  attachTree,
  cloneTree,
  fdPath,
  MOUNT_ATTR,
  MS,
  mapIds,
  mknod,
  mount,
  moveMount,
  setMountAttributes,
} from "../linux/mount.ts";
import {
  exists,
  fstat,
  isDirectory,
  lstatIfAny,
  S_IFBLK,
  S_IFCHR,
  S_IFMT,
  type Stat,
} from "../linux/stat.ts";
import { openSource } from "./bind-source.ts";
import type { CgroupLayout } from "./cgroup/layout.ts";
import { at, atFolder, atPlain, give, ifThere, inFolderOf, openOrMake, type Root } from "./place.ts";
import type { RootStep } from "./rootplan.ts";
import type { Device } from "./spec.ts";

/** What the steps need beside themselves. */
export interface RootContext {
  readonly root: Root;
  /** Where its users are not the host's: their user namespace, open. */
  readonly users?: number;
  /** Where the container's own proc was mounted, for moving. */
  readonly procAt: string;
  /** What binds bind that are to have mounts in common with the host: copied there. */
  readonly shared: ReadonlyMap<RootStep, number>;
  readonly layout: CgroupLayout;
  /** Another container's /dev/shm, as a mount that is nowhere yet. */
  readonly shm?: number;
  /** v1, where the container sees the groups as the host does: its own folder in each hierarchy. */
  readonly ownGroups?: readonly string[];
  /** The devpts instance made for the container's terminal, and that terminal's number in it. */
  readonly terminal: { readonly devpts: number; readonly index: number } | undefined;
}

/**
 * Walks the plan in the mount namespace of the container, before it is pivoted to. Every target is opened inside
 * the root (openat2, RESOLVE_IN_ROOT) and used by descriptor, so no link in an image leads a mount astray.
 */
export function buildRoot(steps: readonly RootStep[], context: RootContext): void {
  const masks = new Masks(context.root);
  try {
    for (const step of steps) {
      try {
        apply(step, context, masks);
      } catch (error) {
        if (!(error instanceof SysError)) throw error;
        const where = "target" in step && step.op !== "link" ? step.target : "path" in step ? step.path : "";
        throw new EngineError(`cannot set up ${where} in the container: ${error.message}`);
      }
    }
  } finally {
    masks.close();
  }
}

function apply(step: RootStep, context: RootContext, masks: Masks): void {
  const { root } = context;
  switch (step.op) {
    case "filesystem":
      return mountFilesystem(step, root);
    case "bind":
      return bind(step, context);
    case "proc":
      return atPlain(root, step.target, (fd) => moveMount(context.procAt, fd));
    case "pts":
      return at(root, step.target, "folder", (fd) => {
        if (context.terminal) attachTree(context.terminal.devpts, fd);
        else mount("devpts", fdPath(fd), "devpts", MS.NOSUID | MS.NOEXEC, ownedTerminals(step.data, root));
      });
    case "shm":
      return at(root, step.target, "folder", (fd) => {
        if (context.shm !== undefined) attachTree(context.shm, fd);
      });
    case "cgroup":
      return at(root, step.target, "folder", (fd) => mountCgroups(fd, step, context));
    case "device":
      return inFolderOf(root, step.path, (folder, name) => makeDevice(folder, name, step, root));
    case "node":
      return makeNode(step, root);
    case "link":
      return inFolderOf(root, step.path, (folder, name) => {
        symlink(step.target, name, folder);
        give(root, folder, name);
      });
    case "console":
      return bindConsole(step.path, context);
    case "folder":
      return close(openOrMake(root, step.path, "folder"));
    case "seal":
      return setMountAttributes(root.fd, MOUNT_ATTR.RDONLY, 0, false);
    case "mask":
      return masks.hide(step.path);
    case "readonly":
      return ifThere(root, step.path, (fd) => rebind(fd, fd, MOUNT_ATTR.RDONLY, true));
  }
}

/** A file system in memory is the container's root's; and ids that are asked for are those of the container's users. */
function ownedData({ type, data }: RootStep & { op: "filesystem" }, { owner }: Root): string {
  if (type !== "tmpfs" || owner === 0) return data;
  const moved = data.replace(
    /(^|,)([ug]id)=(\d+)(?=,|$)/g,
    (_, comma, key, id) => `${comma}${key}=${Number(id) + owner}`,
  );
  return `uid=${owner},gid=${owner}${moved === "" ? "" : ","}${moved}`;
}

/** Terminals are the root's too, and of the group that the specification has for them. */
function ownedTerminals(data: string, { owner }: Root): string {
  if (owner === 0) return data;
  const options = data
    .split(",")
    .map((option) => option.replace(/^gid=(\d+)$/, (_, gid) => `gid=${Number(gid) + owner}`));
  return [`uid=${owner}`, ...options].join(",");
}

function makeDevice(folder: number, name: string, device: Device, { owner }: Root): void {
  const { type, major, minor, fileMode, uid, gid } = device;
  mknod(folder, name, (type === "b" ? S_IFBLK : S_IFCHR) | fileMode, major, minor);
  if (uid + owner !== 0 || gid + owner !== 0) chown(name, uid + owner, gid + owner, folder);
}

/**
 * Makes a device that was asked for. One that is there already is left as it is; of an earlier start it may have another
 * number, and is made anew. Only in the container's own file systems: on a volume, or in a /dev of the host's, it would be
 * the host's from then on.
 */
function makeNode(step: RootStep & { op: "node" }, root: Root): void {
  const { type, major, minor, path } = step;
  inFolderOf(root, path, (folder, name) => {
    const there = lstatIfAny(name, folder);
    const kind = (there?.mode ?? 0) & S_IFMT;
    const isDevice = kind === S_IFBLK || kind === S_IFCHR;
    const isSame = kind === (type === "b" ? S_IFBLK : S_IFCHR);
    if (there && isSame && there.rdevMajor === major && there.rdevMinor === minor) return;
    const wrong = (why: string): EngineError =>
      new EngineError(`cannot make the device ${path} in the container: ${why}: choose another path`);
    if (there && !isDevice) throw wrong("something else is there");
    if (!isOwn(folder, step, root))
      throw wrong("it would be on a volume, or in a file system of the kernel's");
    if (there) unlink(name, folder);
    makeDevice(folder, name, step, root);
  });
}

/** Whether a folder lies on the container's root, or on its own /dev. */
function isOwn(folder: number, { ownDev }: RootStep & { op: "node" }, { fd: root }: Root): boolean {
  const { devMajor, devMinor } = fstat(folder);
  const isOn = (stat: Stat): boolean => stat.devMajor === devMajor && stat.devMinor === devMinor;
  if (isOn(fstat(root))) return true;
  if (!ownDev) return false;
  const dev = openIn(root, "/dev", O.PATH | O.DIRECTORY);
  try {
    return isOn(fstat(dev));
  } finally {
    close(dev);
  }
}

/** A file system in memory has the mode of the folder that it is mounted on, where there is one and no other is asked for (runc). */
function mountFilesystem(step: RootStep & { op: "filesystem" }, root: Root): void {
  const { type, target, flags } = step;
  const options = [ownedData(step, root)].filter((text) => text !== "");
  if (type === "tmpfs" && !/(^|,)mode=/.test(step.data))
    ifThere(root, target, (fd) => options.push(`mode=${(fstat(fd).mode & 0o7777).toString(8)}`));
  (type === "sysfs" ? atPlain : atFolder)(root, target, (fd) => {
    mount(type, fdPath(fd), type, flags, options.join(","));
    // the queues are the IPC namespace's, and their folder whose thread it is that mounts them
    if (type === "mqueue" && root.owner !== 0)
      atFolder(root, target, (top) => chown(".", root.owner, root.owner, top));
  });
}

/** Attaches a copy of the mount (or folder, or file) at `from` on top of `to`. */
function rebind(from: number, to: number, attributes: number, recursive: boolean): void {
  const tree = cloneTree(from, recursive);
  try {
    if (attributes !== 0) setMountAttributes(tree, attributes, 0, recursive);
    attachTree(tree, to);
  } finally {
    close(tree);
  }
}

function bind(step: RootStep & { op: "bind" }, { root, shared, users }: RootContext): void {
  const { source, target, propagation, readOnly } = step;
  const tree = shared.get(step) ?? cloneSource(step);
  try {
    const kind = isDirectory(fstat(tree)) ? "folder" : "file";
    if (users !== undefined) mapToUsers(tree, users, step);
    if (readOnly) setMountAttributes(tree, MOUNT_ATTR.RDONLY, 0, readOnly === "all");
    if (propagation !== 0) setMountAttributes(tree, 0, propagation & ~MS.REC, (propagation & MS.REC) !== 0);
    at(root, target, kind, (fd) => {
      if (isDirectory(fstat(fd)) !== (kind === "folder"))
        throw new EngineError(`cannot mount ${source} on ${target}: one is a folder and the other is a file`);
      attachTree(tree, fd);
    });
  } finally {
    close(tree);
  }
}

/** What is bound is the container's users' as it is the host's. */
function mapToUsers(tree: number, users: number, { source, recursive }: RootStep & { op: "bind" }): void {
  try {
    mapIds(tree, users, recursive);
  } catch (error) {
    if (!isErrno(error, "EINVAL")) throw error;
    throw new EngineError(
      `cannot mount ${source} for the container's users: its file system, or one below it, has no id-mapped mounts`,
    );
  }
}

function cloneSource(step: RootStep & { op: "bind" }): number {
  const source = openSource(step);
  try {
    return cloneTree(source, step.recursive);
  } finally {
    close(source);
  }
}

/** The container's own part of the cgroup tree: one file system on v2, one for each hierarchy on v1. */
function mountCgroups(target: number, step: RootStep & { op: "cgroup" }, context: RootContext): void {
  const flags = MS.NOSUID | MS.NODEV | MS.NOEXEC;
  const readOnly = step.readOnly ? MS.RDONLY : 0;
  if (context.layout.version === 2) {
    mount("cgroup", fdPath(target), "cgroup2", flags | readOnly);
    return;
  }
  mount("tmpfs", fdPath(target), "tmpfs", flags, "mode=755");
  at(context.root, step.target, "folder", (top) => {
    const inside: Root = { fd: top, owner: 0 };
    for (const hierarchy of context.layout.hierarchies) {
      const name = hierarchy.controllers.join(",");
      mkdir(name, 0o755, top);
      at(inside, name, "folder", (fd) => {
        const own = context.ownGroups?.find((path) => path.startsWith(`${hierarchy.path}/`));
        if (own !== undefined) bindGroup(own, fd, step.readOnly);
        else mount("cgroup", fdPath(fd), "cgroup", flags | readOnly, name);
      });
      if (hierarchy.controllers.length > 1) for (const one of hierarchy.controllers) symlink(name, one, top);
    }
    if (step.readOnly) setMountAttributes(top, MOUNT_ATTR.RDONLY, 0, false);
  });
}

/** A container that sees the groups' names as the host does still gets no more than its own group, where it has one. */
function bindGroup(folder: string, target: number, readOnly: boolean): void {
  if (!exists(folder)) return;
  const source = open(folder, O.PATH | O.DIRECTORY);
  try {
    const { NOSUID, NODEV, NOEXEC, RDONLY } = MOUNT_ATTR;
    rebind(source, target, NOSUID | NODEV | NOEXEC | (readOnly ? RDONLY : 0), false);
  } finally {
    close(source);
  }
}

function bindConsole(path: string, context: RootContext): void {
  if (!context.terminal) return;
  const slave = openIn(context.root.fd, `/dev/pts/${context.terminal.index}`, O.PATH | O.NOFOLLOW);
  try {
    at(context.root, path, "file", (fd) => rebind(slave, fd, 0, false));
  } finally {
    close(slave);
  }
}

/** Hides files behind /dev/null and folders behind one empty read-only tmpfs. */
class Masks {
  private nothing: number | undefined;
  private emptied: number | undefined;
  constructor(private readonly root: Root) {}

  hide(path: string): void {
    ifThere(this.root, path, (fd) => {
      // read-only: the node is the host's, and its mode and owner must not be the container's to change
      if (!isDirectory(fstat(fd))) rebind(this.nullDevice(), fd, MOUNT_ATTR.RDONLY, false);
      else if (this.emptied !== undefined) rebind(this.emptied, fd, 0, false);
      else {
        mount("tmpfs", fdPath(fd), "tmpfs", MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC, "size=0k");
        this.emptied = openIn(this.root.fd, path, O.PATH);
      }
    });
  }

  /** The host's /dev/null, and really that: what hides a file must not be something else (CVE-2025-31133). */
  private nullDevice(): number {
    if (this.nothing !== undefined) return this.nothing;
    this.nothing = open("/dev/null", O.PATH | O.NOFOLLOW);
    const { mode, rdevMajor, rdevMinor } = fstat(this.nothing);
    if ((mode & S_IFMT) !== S_IFCHR || rdevMajor !== 1 || rdevMinor !== 3)
      throw new EngineError("cannot mask paths: the host's /dev/null is not the null device");
    return this.nothing;
  }

  close(): void {
    for (const fd of [this.nothing, this.emptied]) if (fd !== undefined) close(fd);
  }
}
