import { EngineError } from "../../linux/errors.ts";
import { S_IFCHR, S_IFMT } from "../../linux/stat.ts";
import { type Member, readable } from "../../linux/tree.ts";
import type { TarMember } from "./header.ts";

/** What marks a removed file, and a folder that hides the one below it (OCI image-spec, layer.md, "Whiteouts"). */
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/** Whether overlayfs takes it for the mark of a removed file: a character device 0:0 (kernel: filesystems/overlayfs). */
export function isWhiteout({ mode, major, minor }: Member): boolean {
  return (mode & S_IFMT) === S_IFCHR && major === 0 && minor === 0;
}

/** The member that says that `name` was removed from a folder (`prefix` ends with a slash, or is empty). */
export function whiteout(prefix: string, name: string, mtime: bigint): TarMember {
  return mark(`${prefix}${WHITEOUT}${name}`, mtime);
}

/** The member that hides what a folder has in the layers below. */
export function opaqueMark(prefix: string, mtime: bigint): TarMember {
  return mark(`${prefix}${OPAQUE}`, mtime);
}

function mark(name: string, mtime: bigint): TarMember {
  return { name, type: "0", mode: 0, uid: 0, gid: 0, size: 0, mtime };
}

export type Xattrs = readonly (readonly [name: string, value: string])[];

/** Whether a folder of an overlay layer hides the one below it. */
export function isOpaque(xattrs: Xattrs): boolean {
  return xattrs.some(([name, value]) => name === "trusted.overlay.opaque" && value === "y");
}

/** Throws EngineError for a file that would become a whiteout in a tar. */
export function checkName(name: string, path: string): void {
  if (name.startsWith(WHITEOUT))
    throw new EngineError(
      `${quote(path)} cannot be part of an image: names that begin with .wh. mark what was removed; rename it`,
    );
}

const ELSEWHERE = ["metacopy", "redirect", "whiteout"].map((name) => `trusted.overlay.${name}`);

/** Throws EngineError where a file of an overlay layer is not whole without the layers below, as it is with our mounts. */
export function checkXattrs(xattrs: Xattrs, path: string): void {
  const found = xattrs.find(([name]) => ELSEWHERE.includes(name));
  if (found !== undefined)
    throw new EngineError(
      `${quote(path)} has its content in another layer (${found[0]}): it was made by an overlay mount of another kind`,
    );
}

function quote(path: string): string {
  return JSON.stringify(readable(path));
}
