import { close, O, open } from "../../linux/file.ts";
import { fstat } from "../../linux/stat.ts";
import { blobPath } from "../blobs.ts";
import { type Descriptor, MEDIA } from "../document.ts";
import { familiar, splitFull } from "../full-name.ts";
import type { ImageSource } from "../install.ts";
import { makeManifest } from "../make-manifest.ts";
import { digestOf } from "../read-blob.ts";
import type { StoredImage } from "../stored.ts";
import { TarOutput } from "../tar/output.ts";
import { type Pieces, TarPieces } from "../tar/pieces.ts";

/** An image and the names under which it is to be saved; whole names. */
export interface Saved {
  readonly image: StoredImage;
  readonly tags: readonly string[];
}

/**
 * `save`: images as one tar that is both an OCI layout (image-spec, "Image Layout") and what Docker's `save` writes since 25:
 * read by docker, podman, skopeo and umoci alike. Layers are written as they are stored; none twice.
 */
export function saveImages(root: string, images: readonly Saved[], out: number): void {
  new TarOutput(out).take(archivePieces(root, images.map(asOci)));
}

/** An image with the manifest that it has in an OCI layout: some readers know no other. Its id is the same. */
interface Member extends Pick<ImageSource, "manifest" | "manifestBytes" | "documentBytes"> {
  readonly tags: readonly string[];
}

function asOci({ image, tags }: Saved): Member {
  const { manifest, manifestBytes, documentBytes } = image.source;
  if (manifest.mediaType === MEDIA.ociManifest) return { manifest, manifestBytes, documentBytes, tags };
  return { ...makeManifest(documentBytes, manifest.layers, true), documentBytes, tags };
}

function* archivePieces(root: string, images: readonly Member[]): Pieces {
  const tar = new TarPieces();
  for (const name of ["blobs/", "blobs/sha256/"])
    yield* tar.add({ ...COMMON, name, type: "5", mode: 0o755, size: 0 });
  // documents first: a reader of a pipe then knows what is to come
  const documents = new Map(
    images.flatMap(({ manifestBytes, documentBytes }) =>
      [manifestBytes, documentBytes].map((bytes) => [digestOf(bytes), bytes] as const),
    ),
  );
  for (const [digest, bytes] of documents)
    yield* tar.addBytes({ ...COMMON, name: blobName(digest), mode: 0o644 }, bytes);
  const layers = new Set(images.flatMap(({ manifest }) => manifest.layers.map((layer) => layer.digest)));
  for (const digest of layers) {
    const fd = open(blobPath(root, digest), O.RDONLY | O.NOFOLLOW);
    try {
      const member = { ...COMMON, name: blobName(digest), type: "0", mode: 0o644 } as const;
      yield* tar.add({ ...member, size: fstat(fd).size }, fd);
    } finally {
      close(fd);
    }
  }
  const tables = {
    "index.json": indexOf(images),
    "manifest.json": images.map(dockerEntry),
    "oci-layout": { imageLayoutVersion: "1.0.0" },
  };
  for (const [name, document] of Object.entries(tables))
    yield* tar.addBytes({ ...COMMON, name, mode: 0o644 }, new TextEncoder().encode(JSON.stringify(document)));
  yield* tar.end();
}

const COMMON = { uid: 0, gid: 0, mtime: 0n } as const;

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

function indexOf(images: readonly Member[]): object {
  return { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: images.flatMap(describe) };
}

function describe({ manifest, manifestBytes, tags }: Member): object[] {
  const descriptor: Descriptor = {
    mediaType: manifest.mediaType,
    digest: digestOf(manifestBytes),
    size: manifestBytes.length,
  };
  if (tags.length === 0) return [descriptor];
  return tags.map((tag) => ({
    ...descriptor,
    annotations: {
      "io.containerd.image.name": tag,
      "org.opencontainers.image.ref.name": splitFull(tag).tag ?? "",
    },
  }));
}

function dockerEntry({ manifest, tags }: Member): object {
  const { config, layers } = manifest;
  return {
    Config: blobName(config.digest),
    RepoTags: tags.length > 0 ? tags.map(familiar) : null,
    Layers: layers.map(({ digest }) => blobName(digest)),
  };
}
