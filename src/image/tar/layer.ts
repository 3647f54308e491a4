import { S_IFDIR, S_IFMT } from "../../linux/stat.ts";
import { ArchiveError, named } from "./archive-error.ts";
import type { Limits } from "./limits.ts";
import { splitPath } from "./member-path.ts";
import { Reader, type Unpacked } from "./reader.ts";
import { TreeWriter } from "./tree-writer.ts";
import { type Mark, readMark } from "./whiteout.ts";

/** What was unpacked of a layer, and what is still to be settled by `settleLayer`. It survives JSON; paths are byte strings. */
export interface LayerResult extends Omit<Unpacked, "newest"> {
  /** Nanoseconds since 1970, in digits. */
  readonly newest: string;
  /** Folders that the layer has members in, but no member for; empty for the root. */
  readonly implicit: readonly string[];
  /** The whiteouts that were made. */
  readonly whiteouts: readonly string[];
}

/**
 * Unpacks a layer's tar into the folder open on `root`, in overlayfs's own form (OCI image-spec, layer.md): a whiteout
 * becomes a character device 0:0, an opaque folder gets trusted.overlay.opaque. The order of the members means nothing
 * to whiteouts: what the layer itself brings always stays, and a folder is then opaque. Links among the layer's own
 * folders are followed as if `root` were "/". Throws as `unpackTar` does; a layer may be empty, and may lack the blocks
 * of zeros at its end, as its digest is known.
 */
export async function unpackLayer(
  pieces: AsyncIterable<Uint8Array>,
  root: number,
  limits: Partial<Limits> = {},
): Promise<LayerResult> {
  const writer = new TreeWriter(root, "in-root");
  try {
    const marks: Mark[] = [];
    const isMember = (path: string): boolean => {
      const mark = readMark(path);
      if (mark !== undefined && mark.kind !== "aufs") marks.push(mark);
      return mark === undefined;
    };
    const reader = new Reader(writer, { absolute: true, mayLackEnd: true, isMember }, limits);
    for await (const piece of pieces) await reader.push(piece);
    await reader.end();
    const { whiteouts, opaque, replaced } = makeMarks(writer, marks);
    writer.finish();
    const implicit = [...writer.implicit].filter((path) => !replaced.has(path) && !isBelow(path, opaque));
    if (!writer.hasRoot) implicit.unshift("");
    const { newest, ...result } = reader.result();
    return { ...result, newest: String(newest), implicit, whiteouts };
  } finally {
    writer.close();
  }
}

/** What marks have become. */
class Marks {
  readonly whiteouts: string[] = [];
  readonly #gone = new Set<string>();
  /** Folders that lower layers are not seen in. */
  readonly opaque = new Set<string>();
  /** Those of them which lower layers are not seen at, either. */
  readonly replaced = new Set<string>();

  constructor(readonly writer: TreeWriter) {}

  make({ path, kind }: Mark): void {
    if (this.#gone.has(path) || isBelow(path, this.#gone) || isBelow(path, this.opaque)) return;
    const type = typeOf(this.writer, path);
    const there = this.writer.truePath(path);
    if (type === "folder" || (type === "missing" && kind === "opaque")) {
      this.writer.opaque(path);
      this.opaque.add(there);
      if (kind === "whiteout") this.replaced.add(there);
    } else if (type === "missing") {
      this.writer.whiteout(path);
      this.whiteouts.push(there);
      this.#gone.add(there);
    }
  }
}

/** Makes whiteouts and opaque folders, when all else that the layer brings is there. */
function makeMarks(writer: TreeWriter, marks: readonly Mark[]): Marks {
  const made = new Marks(writer);
  // what lies above comes first, and a whiteout of a folder before the mark in it
  const order = (mark: Mark): string => `${mark.path}\0${mark.kind === "opaque" ? 1 : 0}`;
  const sorted = marks.map((mark) => [order(mark), mark] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, mark] of sorted) {
    try {
      made.make(mark);
    } catch (error) {
      throw named(error, mark.path);
    }
  }
  return made;
}

function typeOf(writer: TreeWriter, path: string): "folder" | "missing" | "other" {
  if (path === "") return "folder";
  try {
    const mode = writer.typeOf(path);
    if (mode === undefined) return "missing";
    return (mode & S_IFMT) === S_IFDIR ? "folder" : "other";
  } catch (error) {
    // the layer itself has no folder above it: then there is nothing to hide
    if (error instanceof ArchiveError) return "other";
    throw error;
  }
}

function isBelow(path: string, folders: ReadonlySet<string>): boolean {
  if (folders.size === 0 || path === "") return false;
  for (let [folder] = splitPath(path); ; [folder] = splitPath(folder)) {
    if (folders.has(folder)) return true;
    if (folder === "") return false;
  }
}
