import { EngineError } from "../linux/errors.ts";
import type { HeldBlob } from "./blob-writer.ts";
import { type HistoryEntry, MEDIA, MOST_LAYERS, parseDocument } from "./document.ts";
import type { ImageConfig } from "./image.ts";
import { bringFrom, type Installed, installImage } from "./install.ts";
import { publishLayer } from "./layer-folder.ts";
import { describeLayer, makeManifest } from "./make-manifest.ts";
import { hostPlatform, type Platform } from "./platform.ts";
import { SILENT } from "./progress.ts";
import type { StoredImage } from "./stored.ts";
import { settleLayer } from "./tar/settle.ts";
import { dropTemporary, makeTemporary } from "./temporary.ts";
import { unpackHere } from "./unpack-job.ts";

/** An image to be put together from a base and one layer more. */
export interface Composition {
  /** Undefined where the layer is all there is. */
  readonly base: StoredImage | undefined;
  readonly layer: HeldBlob;
  /** `sha256:…` of the layer's plain tar. */
  readonly diffId: string;
  readonly config: ImageConfig;
  /** RFC 3339. */
  readonly created: string;
  readonly author: string | undefined;
  /** What the new step was. */
  readonly history: HistoryEntry;
  readonly platform?: Platform;
}

/**
 * Puts an image together in the store (OCI image-spec, "Image Configuration"); it has no name yet. Throws EngineError where it
 * would have too many layers.
 */
export async function composeImage(root: string, parts: Composition): Promise<Installed> {
  const { base, layer, diffId, config, created, author, history } = parts;
  const below = base?.source.manifest.layers ?? [];
  if (below.length >= MOST_LAYERS)
    throw new EngineError(`the image has ${below.length} layers already, and ${MOST_LAYERS} are the most`);
  const old = base?.source.document;
  const platform = parts.platform ?? (old ? platformOf(old) : hostPlatform());
  const document = {
    created,
    ...(author !== undefined && { author }),
    ...platform,
    config,
    rootfs: { type: "layers", diff_ids: [...(old?.rootfs.diff_ids ?? []), diffId] },
    history: [...(old?.history ?? []), history],
  };
  const documentBytes = new TextEncoder().encode(JSON.stringify(document));
  const layers = [...below, describeLayer(layer)];
  const isOci = base?.source.manifest.mediaType === MEDIA.ociManifest;
  const made = makeManifest(documentBytes, layers, isOci);
  const source = { ...made, document: parseDocument(documentBytes), documentBytes };
  return await installImage(root, source, bringFrom(root), SILENT);
}

function platformOf({ os, architecture, variant }: Platform): Platform {
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

/**
 * Unpacks a layer that lies on no other, and of which only the stored bytes are known, into the store. Returns its diff id and
 * what keeps it. Throws ArchiveError where it is refused.
 */
export async function unpackLowest(
  root: string,
  run: string,
  blob: number,
): Promise<{ readonly diffId: string; readonly fd: number }> {
  const temporary = makeTemporary(root, run);
  try {
    const result = await unpackHere(blob, temporary.fd);
    settleLayer(temporary.fd, [], result);
    const { diffId } = result;
    return { diffId, fd: publishLayer(root, temporary, diffId.slice("sha256:".length)) };
  } catch (error) {
    dropTemporary(temporary);
    throw error;
  }
}
