import { readable } from "../../linux/tree.ts";
import { ArchiveError } from "./archive-error.ts";
import { joinPath, splitPath } from "./member-path.ts";

/** What a member of a layer says of the layers below, by its name alone. */
export interface Mark {
  /**
   * whiteout: what lies there in lower layers is gone. opaque: what they have in this folder is gone, the folder stays.
   * aufs: its own bookkeeping, which nobody else reads.
   */
  readonly kind: "whiteout" | "opaque" | "aufs";
  readonly path: string;
}

const PREFIX = ".wh.";
const AUFS = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";

/**
 * What a layer's member of this (plain) path stands for (OCI image-spec, layer.md, "Whiteouts"); undefined for an
 * ordinary one. ArchiveError for names that hide something else: a whiteout of nothing, of `.` or `..`, and
 * members that lie in a "folder" of such a name.
 */
export function readMark(path: string): Mark | undefined {
  if (!path.includes(PREFIX)) return undefined;
  const [folder, last] = splitPath(path);
  const above = folder.split("/").find((part) => part.startsWith(PREFIX));
  if (above?.startsWith(AUFS)) return { kind: "aufs", path };
  if (above !== undefined) throw refused(above);
  if (!last.startsWith(PREFIX)) return undefined;
  if (last === OPAQUE) return { kind: "opaque", path: folder };
  if (last.startsWith(AUFS)) return { kind: "aufs", path };
  const name = last.slice(PREFIX.length);
  if (name === "" || name === "." || name === "..") throw refused(last);
  return { kind: "whiteout", path: joinPath(folder, name) };
}

function refused(name: string): ArchiveError {
  return new ArchiveError(`${JSON.stringify(readable(name))} is no whiteout, and no other name may begin so`);
}
