import { pread } from "../linux/file.ts";
import { fstat } from "../linux/stat.ts";
import type { HeldBlob } from "./blob-writer.ts";
import { type Descriptor, type Manifest, MEDIA, parseManifest } from "./document.ts";
import { digestOf } from "./read-blob.ts";

/** How a layer is stored, by its first bytes. */
function compressionOf(fd: number): "" | "gzip" | "zstd" {
  const start = new Uint8Array(4);
  pread(fd, start, 0);
  const magic = Buffer.from(start).toString("hex");
  return magic.startsWith("1f8b") ? "gzip" : magic === "28b52ffd" ? "zstd" : "";
}

/** The media type of a layer that is stored so, in OCI's or in Docker's words. */
function layerType(compression: string, oci: boolean): string {
  if (compression === "") return oci ? MEDIA.ociLayer : MEDIA.dockerLayer;
  return oci ? `${MEDIA.ociLayer}+${compression}` : `${MEDIA.dockerLayer}.${compression}`;
}

/** A layer in the store, as a manifest names it. */
export function describeLayer({ digest, fd }: HeldBlob): Descriptor {
  return { mediaType: layerType(compressionOf(fd), false), digest, size: fstat(fd).size };
}

/** Whether a layer of that media type is stored without compression. */
export function isPlain({ mediaType }: Descriptor): boolean {
  return !/(gzip|zstd)$/.test(mediaType);
}

/**
 * The manifest of an image with these layers, the lowest first: of Docker's kind, or of OCI's where that is asked for, or a layer
 * is compressed with zstd, which the other does not know.
 */
export function makeManifest(
  documentBytes: Uint8Array,
  layers: readonly Descriptor[],
  oci: boolean,
): { readonly manifest: Manifest; readonly manifestBytes: Uint8Array } {
  const compression = ({ mediaType }: Descriptor): string => /(gzip|zstd)$/.exec(mediaType)?.[1] ?? "";
  const isOci = oci || layers.some((layer) => compression(layer) === "zstd");
  const manifest = {
    schemaVersion: 2,
    mediaType: isOci ? MEDIA.ociManifest : MEDIA.dockerManifest,
    config: {
      mediaType: isOci ? MEDIA.ociConfig : MEDIA.dockerConfig,
      size: documentBytes.length,
      digest: digestOf(documentBytes),
    },
    layers: layers.map((layer) => ({
      mediaType: layerType(compression(layer), isOci),
      size: layer.size,
      digest: layer.digest,
    })),
  };
  const manifestBytes = new TextEncoder().encode(JSON.stringify(manifest));
  return { manifest: parseManifest(manifestBytes), manifestBytes };
}
