import { readable } from "../../linux/tree.ts";
import { ArchiveError } from "./archive-error.ts";

/**
 * The name of an archive's member (bytes as characters), made plain: no `./`, no doubled or trailing slash;
 * empty for the root itself. Throws ArchiveError for a name that is empty, has `..` or a NUL, and for an absolute one
 * unless `absolute`: it is then taken as one below the root, as Docker and GNU tar do.
 */
export function memberPath(name: string, what: string, absolute = false): string {
  const say = (reason: string): ArchiveError =>
    new ArchiveError(`the ${what} ${JSON.stringify(readable(name.slice(0, 200)))} ${reason}`);
  if (name === "") throw new ArchiveError(`a ${what} is empty`);
  if (name.startsWith("/") && !absolute) throw say("is absolute");
  if (name.includes("\0")) throw say("has a NUL byte");
  // most names need no work: this is called once for each member
  if (!/(^|\/)(\.{0,2})(\/|$)/.test(name)) return name;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw say("leads outside of the image with ..");
  return parts.join("/");
}

/** The folder and the last part of a plain member path. */
export function splitPath(path: string): [folder: string, last: string] {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}

/** The path of `name` in `folder`, which is empty for the root. */
export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
