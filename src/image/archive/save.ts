import { close, O, open } from "../../linux/file.ts";
import { fstat } from "../../linux/stat.ts";
import { blobPath } from "../blobs.ts";
import { type Descriptor, digestOf, MEDIA } from "../document.ts";
import type { ImageSource } from "../install.ts";
import { familiar, splitFull } from "../reference.ts";
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
  new TarOutput(out).take(archivePieces(root, images));
}

function* archivePieces(root: string, images: readonly Saved[]): Pieces {
  const tar = new TarPieces();
  for (const name of ["blobs/", "blobs/sha256/"])
    yield* tar.add({ ...COMMON, name, type: "5", mode: 0o755, size: 0 });
  const digests = new Set(images.flatMap(({ image }) => blobsOf(image.source)));
  for (const digest of digests) {
    const fd = open(blobPath(root, digest), O.RDONLY | O.NOFOLLOW);
    try {
      const member = { ...COMMON, name: blobName(digest), type: "0", mode: 0o644 } as const;
      yield* tar.add({ ...member, size: fstat(fd).size }, fd);
    } finally {
      close(fd);
    }
  }
  const documents = {
    "index.json": indexOf(images),
    "manifest.json": images.map(dockerEntry),
    "oci-layout": { imageLayoutVersion: "1.0.0" },
  };
  for (const [name, document] of Object.entries(documents))
    yield* tar.addBytes({ ...COMMON, name, mode: 0o644 }, new TextEncoder().encode(JSON.stringify(document)));
  yield* tar.end();
}

const COMMON = { uid: 0, gid: 0, mtime: 0n } as const;

/** Documents first: a reader of a pipe then knows what is to come. */
function blobsOf(source: ImageSource): string[] {
  const { config, layers } = source.manifest;
  return [digestOf(source.manifestBytes), config.digest, ...layers.map(({ digest }) => digest)];
}

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

function indexOf(images: readonly Saved[]): object {
  return { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: images.flatMap(describe) };
}

function describe({ image, tags }: Saved): object[] {
  const { source } = image;
  const descriptor: Descriptor = {
    mediaType: source.manifest.mediaType,
    digest: digestOf(source.manifestBytes),
    size: source.manifestBytes.length,
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

function dockerEntry({ image, tags }: Saved): object {
  const { config, layers } = image.source.manifest;
  return {
    Config: blobName(config.digest),
    RepoTags: tags.length > 0 ? tags.map(familiar) : null,
    Layers: layers.map(({ digest }) => blobName(digest)),
  };
}
