import { compileFor } from "./compiled.ts";

/** What unpacking a layer found out; it goes as JSON from one process to another, so names are byte strings. */
export interface LayerUnpacked {
  /** Bytes of file content. */
  readonly size: number;
  /** `sha256:…` of the plain tar. */
  readonly diffId: string;
  /** Folders that the layer has no member for, and whiteouts: see settleLayer. */
  readonly implicit: readonly string[];
  readonly whiteouts: readonly string[];
}

/** Files of so many bytes that unpack to more than the ratio are taken for bombs; gzip cannot do more than 1032:1. */
const ALWAYS_ALLOWED = 16 * 2 ** 30;
const RATIO = 1100;

/** How many bytes of content a layer of `size` stored bytes may unpack to. */
function mostContent(size: number): number {
  return Math.max(ALWAYS_ALLOWED, size * RATIO);
}

/**
 * Unpacks the stored layer open on `layer` into the empty folder open on `folder`, in overlayfs's own form. Throws
 * ArchiveError where it is refused, or the signal's reason.
 */
export async function unpackHere(
  layer: number,
  folder: number,
  signal?: AbortSignal,
): Promise<LayerUnpacked> {
  const [{ abortable }, { openSource }, { unpackLayer }, { fstat }] = await Promise.all([
    import("./tar/abortable.ts"),
    import("./tar/source.ts"),
    import("./tar/layer.ts"),
    import("../linux/stat.ts"),
  ]);
  const { size: length } = fstat(layer);
  compileFor(length);
  const source = openSource(layer, { start: 0, length }, "diff-id");
  const result = await unpackLayer(abortable(source.pieces, signal), folder, {
    content: mostContent(length),
  });
  const { size, implicit, whiteouts } = result;
  return { size, implicit, whiteouts, diffId: `sha256:${source.diffId()}` };
}
