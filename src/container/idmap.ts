import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { mkdirAll, readlinkIfAny, symlink, unlinkIfAny, writeInto } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { exists } from "../linux/stat.ts";
import type { Paths } from "./paths.ts";

/** What a container's users are on the host: 0 to `size` - 1 in it are `base` and those after it (user_namespaces(7)). */
export interface IdMap {
  readonly base: number;
  readonly size: number;
}

/** What most images need: ids of 16 bits, nobody among them. */
export const DEFAULT_SIZE = 65536;
/** Ids that neither distributions nor systemd give out (systemd.io, "Users, Groups, UIDs and GIDs"): from 2^30 on. */
const FIRST = 2 ** 30;
const RANGES = 2 ** 14 - 1;

/**
 * Ids for a container that nobody else has: a range for each of its 65,536. A claim is a link that only one process can
 * make. Throws EngineError where all are taken.
 */
export function claimIds(paths: Paths, id: string, size: number): IdMap {
  mkdirAll(paths.idClaims, 0o700);
  const needed = Math.ceil(size / DEFAULT_SIZE);
  const start = Math.floor(Math.random() * RANGES);
  for (let tries = 0; tries < RANGES; tries += needed) {
    const range = (start + tries) % (RANGES - needed + 1);
    if (claimAll(paths, id, range, needed)) return { base: FIRST + range * DEFAULT_SIZE, size };
    for (const one of listFolder(paths.idClaims)) releaseStale(paths, one.name);
  }
  throw new EngineError("cannot give the container user ids of its own: all ranges are taken");
}

function claimAll(paths: Paths, id: string, first: number, count: number): boolean {
  for (let range = first; range < first + count; range++) {
    try {
      symlink(id, `${paths.idClaims}/${range}`);
    } catch (error) {
      for (let made = first; made < range; made++) unlinkIfAny(`${paths.idClaims}/${made}`);
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
  }
  return true;
}

/** A container that is not there any more has no ids. */
function releaseStale(paths: Paths, name: string): void {
  const owner = readlinkIfAny(`${paths.idClaims}/${name}`);
  if (owner !== undefined && !exists(paths.container(owner))) unlinkIfAny(`${paths.idClaims}/${name}`);
}

/** For who packs a container's files: theirs are the host's ids less the first. */
export function ownersOf({ idmap }: { readonly idmap?: IdMap }): { readonly owners?: IdMap } {
  return idmap ? { owners: idmap } : {};
}

/** The claims of a container on its ids. */
export function claimsOf(paths: Paths, { base, size }: IdMap): string[] {
  const first = (base - FIRST) / DEFAULT_SIZE;
  return Array.from(
    { length: Math.ceil(size / DEFAULT_SIZE) },
    (_, index) => `${paths.idClaims}/${first + index}`,
  );
}

/** Gives the ids of a container back, where it has any. */
export function releaseIds(paths: Paths, id: string): void {
  if (!exists(paths.idClaims)) return;
  for (const { name } of listFolder(paths.idClaims))
    if (readlinkIfAny(`${paths.idClaims}/${name}`) === id) unlinkIfAny(`${paths.idClaims}/${name}`);
}

/** Tells the kernel what the users of the new user namespace of process `pid` are (user_namespaces(7), uid_map). */
export function writeIdMaps(pid: number, { base, size }: IdMap): void {
  for (const file of ["uid_map", "gid_map"]) writeInto(`/proc/${pid}/${file}`, `0 ${base} ${size}\n`);
}
