import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, openIn, RESOLVE } from "../linux/file.ts";
import { cloneTree, MS } from "../linux/mount.ts";
import { mountLines } from "../linux/mountinfo.ts";
import { statName } from "../linux/tree.ts";
import type { RootStep } from "./rootplan.ts";

type Bind = RootStep & { op: "bind" };

/** What is to be bound, open as a path. Below a volume others may be at work: there no link leads out of it. */
export function openSource({ source, subpath }: Pick<Bind, "source" | "subpath">): number {
  const fd = open(source, O.PATH);
  if (subpath === undefined) return fd;
  try {
    return openIn(fd, subpath, O.PATH, 0, RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR", "EXDEV", "ELOOP")) throw error;
    const why = error.code === "ENOENT" ? "there is none" : "it leads nowhere inside the volume";
    throw new EngineError(`cannot mount the part ${JSON.stringify(subpath)} of a volume: ${why}`);
  } finally {
    close(fd);
  }
}

/**
 * Copies of those of the host's mounts with which a bind is to have mounts in common, or to get them from: taken while the
 * caller is on the host, as in the container's namespace all mounts are private. By the bind's step.
 */
export function cloneShared(plan: readonly RootStep[]): ReadonlyMap<RootStep, number> {
  const trees = new Map<RootStep, number>();
  try {
    for (const step of plan)
      if (step.op === "bind" && (step.propagation & (MS.SHARED | MS.SLAVE)) !== 0)
        trees.set(step, cloneOne(step));
    return trees;
  } catch (error) {
    for (const tree of trees.values()) close(tree);
    throw error;
  }
}

function cloneOne(step: Bind): number {
  const source = openSource(step);
  try {
    checkShared(step, source);
    return cloneTree(source, step.recursive);
  } finally {
    close(source);
  }
}

/** As Docker: what cannot be is said, not left out. */
function checkShared({ source, propagation }: Bind, fd: number): void {
  const id = String(statName(fd, "").mount);
  const { place, kinds } = mountLines().find((line) => line.id === id) ?? { place: "/", kinds: [] };
  const isShared = kinds.some((kind) => kind.startsWith("shared:"));
  if (isShared || ((propagation & MS.SLAVE) !== 0 && kinds.some((kind) => kind.startsWith("master:"))))
    return;
  const wanted = (propagation & MS.SHARED) !== 0 ? "shared" : "shared or slave";
  throw new EngineError(
    `cannot mount ${source}: path ${source} is mounted on ${place} but it is not a ${wanted} mount: 'mount --make-shared' makes it one`,
  );
}
