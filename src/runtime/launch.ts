import { errnoWords, isErrno, SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, writeInto } from "../linux/file.ts";
import {
  attachTree,
  CLONE,
  chdir,
  cloneTree,
  fchdir,
  MNT_DETACH,
  pivotToCurrent,
  setns,
  umount,
  unshare,
} from "../linux/mount.ts";
import { openPidfd } from "../linux/process.ts";
import { hasSeccomp } from "../linux/seccomp.ts";
import { loopbackUp } from "../linux/socket.ts";
import { cloneShared } from "./bind-source.ts";
import { capabilityMask } from "./capabilities.ts";
import type { Orders } from "./orders.ts";
import { rlimitWords } from "./rlimits.ts";
import { buildRoot, type RootContext } from "./root.ts";
import { planRoot } from "./rootplan.ts";
import { filterWords } from "./seccomp/filter.ts";
import type { IdMapping, Namespace, Process, Spec } from "./spec.ts";

const CLONE_OF: Record<Namespace["type"], number> = {
  user: CLONE.NEWUSER,
  mount: CLONE.NEWNS,
  pid: CLONE.NEWPID,
  uts: CLONE.NEWUTS,
  ipc: CLONE.NEWIPC,
  network: CLONE.NEWNET,
  cgroup: CLONE.NEWCGROUP,
};

/** The clone(2) flags of the namespaces of a spec that are to be new. */
export function namespaceFlags(namespaces: readonly Namespace[]): number {
  return namespaces.reduce((flags, { type, path }) => flags | (path ? 0 : CLONE_OF[type]), 0);
}

/**
 * The part of the orders that a process and its filter of system calls decide; the same for run and exec. Where the kernel has
 * no filters the default one is left out, as with Docker; one that was asked for is not.
 */
export function processOrders(process: Process, seccomp = "default"): Orders {
  const { user, capabilities, rlimits } = process;
  const filtered = seccomp !== "unconfined" && hasSeccomp();
  if (!filtered && seccomp !== "unconfined" && seccomp !== "default")
    throw new EngineError("seccomp is not enabled in your kernel: cannot run with a custom seccomp profile");
  return {
    ...(filtered && { seccomp: filterWords(seccomp) }),
    ...(process.noNewPrivileges && { noNewPrivileges: 1 }),
    ...(process.apparmorProfile !== undefined && { apparmor: process.apparmorProfile }),
    ...(rlimits && { rlimits: rlimitWords(rlimits) }),
    argv: process.args,
    env: process.env,
    cwd: process.cwd,
    uid: user.uid,
    gid: user.gid,
    umask: user.umask ?? 0o022,
    groups: user.additionalGids ?? [],
    capBounding: capabilityMask(capabilities.bounding),
    capEffective: capabilityMask(capabilities.effective),
    capPermitted: capabilityMask(capabilities.permitted),
    capInheritable: capabilityMask(capabilities.inheritable),
    capAmbient: capabilityMask(capabilities.ambient),
  };
}

/** What building the root needs that is known outside of it. */
export type LaunchContext = Omit<RootContext, "root" | "shared">;

/**
 * Enters the namespaces of the parked init `pid`, builds the container's root there, pivots to it, and comes back.
 * All of it is synchronous: the calling thread is elsewhere meanwhile (setns(2), pivot_root(2)). `configure` is called in the
 * container's network namespace.
 */
export function enterAndBuild(
  pid: number,
  spec: Spec,
  context: LaunchContext,
  configure: () => void = () => {},
): void {
  const init = openPidfd(pid);
  if (init === undefined) throw new EngineError("the container's init died before its root was made");
  // mqueue, the network's sysctls and the cgroup tree are those of whoever mounts or writes them
  // sysfs shows the network namespace of who mounts it, also one that is shared
  const own = CLONE.NEWNS | CLONE.NEWIPC | CLONE.NEWNET | CLONE.NEWCGROUP;
  const made = namespaceFlags(spec.linux.namespaces) & own;
  const wanted = spec.linux.namespaces.reduce((flags, { type }) => flags | CLONE_OF[type], 0) & own;
  const plan = planRoot(spec);
  const trees = cloneShared(plan);
  // init's mounts were copied before the overlay was mounted, or after: it gets a copy of its own in any case
  const merged = open(spec.root.path, O.PATH | O.DIRECTORY);
  const overlay = cloneTree(merged, false);
  close(merged);
  inNamespaces(init, wanted, () => {
    if ((made & CLONE.NEWNET) !== 0) {
      loopbackUp();
      configure();
    }
    if (spec.linux.sysctl) setSysctls(spec.linux.sysctl, spec.linux.gidMappings?.[0]);
    const place = open(spec.root.path, O.PATH | O.DIRECTORY);
    attachTree(overlay, place);
    close(place);
    const root = open(spec.root.path, O.PATH | O.DIRECTORY);
    try {
      const owner = spec.linux.uidMappings?.[0]?.hostID ?? 0;
      buildRoot(plan, { ...context, root: { fd: root, owner }, shared: trees });
      fchdir(root);
      pivotToCurrent();
      umount(".", MNT_DETACH);
      // the mount namespace's root is the new root now; init's own was moved by the kernel
      chdir("/");
    } finally {
      close(root);
    }
  });
  close(overlay);
  close(init);
}

/** Those that a container is given without asking; a kernel without IPv4 has none of them. */
const OPTIONAL = ["net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"];

/** Sets the spec's sysctls: of the network and IPC namespaces that the calling thread is in. Throws EngineError on one that cannot be. */
function setSysctls(sysctl: Readonly<Record<string, string>>, groups: IdMapping | undefined): void {
  for (const [key, given] of Object.entries(sysctl)) {
    const path = key.includes("/") ? key : key.replaceAll(".", "/");
    const value = groups && path === "net/ipv4/ping_group_range" ? onHost(given, groups) : given;
    try {
      writeInto(`/proc/sys/${path}`, value);
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      if (error.code === "ENOENT" && OPTIONAL.includes(key)) continue;
      const why = error.code === "ENOENT" ? "this kernel has none of that name" : errnoWords(error.code);
      throw new EngineError(`cannot set sysctl ${key} to ${JSON.stringify(value)}: ${why}`);
    }
  }
}

/** Groups as the calling thread, whose users are the host's, must call them. */
function onHost(range: string, { hostID, size }: IdMapping): string {
  return range.replace(/[0-9]+/g, (group) => String(hostID + Math.min(Number(group), size - 1)));
}

/** Runs `use` with the calling thread in namespaces of another process, and brings it back in any case. */
export function inNamespaces(pidfd: number, kinds: number, use: () => void): void {
  const home = open(".", O.PATH | O.DIRECTORY);
  const names = { mnt: CLONE.NEWNS, ipc: CLONE.NEWIPC, net: CLONE.NEWNET, cgroup: CLONE.NEWCGROUP };
  const own = Object.entries(names)
    .filter(([, kind]) => (kinds & kind) !== 0)
    .map(([name]) => open(`/proc/self/ns/${name}`, O.RDONLY));
  try {
    cross(pidfd, kinds);
    use();
  } finally {
    for (const fd of own) {
      cross(fd, 0);
      close(fd);
    }
    fchdir(home);
    close(home);
  }
}

/**
 * setns to a mount namespace wants an fs_struct that no other thread shares. The JavaScript engine may start a thread
 * of its own at any moment, which then shares ours: so it is unshared right before, and once more where that lost.
 */
function cross(fd: number, kinds: number): void {
  for (let tries = 0; ; tries++) {
    unshare(CLONE.FS);
    try {
      return setns(fd, kinds);
    } catch (error) {
      if (tries === 20 || !isErrno(error, "EINVAL")) throw error;
    }
  }
}
