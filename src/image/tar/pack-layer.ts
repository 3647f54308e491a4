import type { ByteSink } from "./gzip.ts";
import { type ReadOptions, TreeReader } from "./tree-reader.ts";

/** What of a layer is not to be written. */
export interface LayerOptions extends Pick<ReadOptions, "owners"> {
  /**
   * Paths in the container (`/etc/hosts`) that the engine made only to mount something there: left out where they are an
   * empty file, or a folder of which nothing else is written.
   */
  readonly except?: readonly string[];
}

/**
 * Writes a layer as a whole tar (OCI image-spec, layer.md), its end included. `root` is a folder in overlayfs's own form: a
 * container's upper folder, or an unpacked layer. Devices 0:0 become `.wh.NAME`, opaque folders begin with `.wh..wh..opq`,
 * overlayfs's own attributes and sockets are left out. Returns the bytes of file content. Throws EngineError for what such
 * a tar cannot hold (a name that begins with `.wh.`, a path of more than 4095 bytes), for what is not whole without the
 * layers below (metacopy, redirect), and what the sink throws; SysError where another system call failed.
 */
export function packLayer(
  root: number,
  sink: ByteSink,
  options: LayerOptions = {},
): { readonly size: number } {
  const reader = new TreeReader({ ...options, layer: true });
  for (const piece of reader.read(root)) sink.write(piece);
  return { size: reader.size };
}
