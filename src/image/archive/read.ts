import { EngineError } from "../../linux/errors.ts";
import { close } from "../../linux/file.ts";
import {
  type Descriptor,
  digestOf,
  isList,
  mediaTypeOf,
  parseDocument,
  parseList,
  parseManifest,
  parseObject,
} from "../document.ts";
import type { ImageSource } from "../install.ts";
import { describeLayer, makeManifest } from "../make-manifest.ts";
import { type Platform, selectPlatform } from "../platform.ts";
import { canonical, parseReference } from "../reference.ts";
import type { ArchiveFiles } from "./files.ts";

/** One image of an archive, before it is installed. */
export interface ArchivedImage {
  readonly source: ImageSource;
  /** Whole names. */
  readonly tags: readonly string[];
  /** Where in the archive the blob of a layer is. */
  readonly fileOf: (layer: Descriptor) => string;
}

/**
 * The images of an archive or layout: OCI (image-spec, "Image Layout") or Docker's (manifest.json, as `docker save` writes it).
 * Where it is both, as Docker's own are since 25, the manifests are taken from the first and the names from the second.
 * Throws EngineError where it is neither, or not as it must be.
 */
export function readArchive(files: ArchiveFiles, platform: Platform): ArchivedImage[] {
  const docker = files.has("manifest.json") ? readDockerManifest(files) : [];
  if (files.has("index.json")) {
    const names = new Map(docker.map(({ config, tags }) => [digestOf(files.read(config)), tags]));
    return readIndexed(files, platform, names);
  }
  if (docker.length > 0) return docker.map((entry) => fromDocker(files, entry));
  throw new EngineError(
    "it is no archive of images: there is neither index.json nor manifest.json in it; 'mydocker import' takes the archive of a root file system",
  );
}

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

/** A document by its digest, verified. */
function readVerified(files: ArchiveFiles, { digest }: Descriptor): Uint8Array {
  const bytes = files.read(blobName(digest));
  if (digestOf(bytes) !== digest)
    throw new EngineError(
      `the archive is damaged: ${blobName(digest)} has another digest than its name says`,
    );
  return bytes;
}

function readIndexed(
  files: ArchiveFiles,
  platform: Platform,
  names: ReadonlyMap<string, readonly string[]>,
): ArchivedImage[] {
  const bytes = files.read("index.json");
  const { manifests } = parseObject(bytes, "index.json");
  const annotations = Array.isArray(manifests) ? manifests.map(annotationsOf) : [];
  const images = parseList(bytes).flatMap((descriptor, i) => {
    // attestations and the like are for no platform at all
    if (descriptor.platform?.os === "unknown") return [];
    const source = readIndexedImage(files, descriptor, platform);
    const named = nameIn(annotations[i] ?? {});
    const tags = named.length > 0 ? named : (names.get(source.manifest.config.digest) ?? []);
    return [{ source, tags, fileOf: ({ digest }: Descriptor) => blobName(digest) }];
  });
  if (images.length === 0) throw new EngineError("there is no image in the archive");
  return images;
}

function readIndexedImage(files: ArchiveFiles, descriptor: Descriptor, platform: Platform): ImageSource {
  const bytes = readVerified(files, descriptor);
  const mediaType = mediaTypeOf(parseObject(bytes, "manifest"), descriptor.mediaType);
  if (isList(mediaType)) return readIndexedImage(files, selectPlatform(parseList(bytes), platform), platform);
  const manifest = parseManifest(bytes, mediaType);
  const documentBytes = readVerified(files, manifest.config);
  return { manifest, manifestBytes: bytes, document: parseDocument(documentBytes), documentBytes };
}

function annotationsOf(descriptor: unknown): Readonly<Record<string, unknown>> {
  const annotations = (descriptor as { readonly annotations?: unknown } | null)?.annotations;
  return typeof annotations === "object" && annotations !== null
    ? (annotations as Readonly<Record<string, unknown>>)
    : {};
}

/** containerd's annotation has the whole name; the specification's may be a name (skopeo, podman) or a tag alone, which names nothing. */
function nameIn(annotations: Readonly<Record<string, unknown>>): string[] {
  const whole = annotations["io.containerd.image.name"];
  const reference = annotations["org.opencontainers.image.ref.name"];
  const text = typeof whole === "string" ? whole : reference;
  if (typeof text !== "string" || (whole === undefined && !/[:/]/.test(text))) return [];
  return tagsOf([text]);
}

/** The whole names of texts that are references to a tag; others name nothing. */
function tagsOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    try {
      const reference = parseReference(text);
      return reference.digest === undefined ? [canonical(reference)] : [];
    } catch {
      return [];
    }
  });
}

interface DockerEntry {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

function readDockerManifest(files: ArchiveFiles): DockerEntry[] {
  const bytes = files.read("manifest.json");
  const wrong = new EngineError("the archive's manifest.json is not as it must be");
  const value = parseArray(bytes, wrong);
  return value.map((one) => {
    const { Config, RepoTags, Layers } = (one ?? {}) as Readonly<Record<string, unknown>>;
    const isTexts = (list: unknown): list is string[] =>
      Array.isArray(list) && list.every((text) => typeof text === "string");
    if (typeof Config !== "string" || !isTexts(Layers)) throw wrong;
    return { config: Config, layers: Layers, tags: tagsOf(isTexts(RepoTags) ? RepoTags : []) };
  });
}

function parseArray(bytes: Uint8Array, wrong: EngineError): unknown[] {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (Array.isArray(value)) return value;
  } catch {
    // said below
  }
  throw wrong;
}

/** Docker's archives have no manifest of the image: it is made here, of Docker's own kind, from what is in the archive. */
function fromDocker(files: ArchiveFiles, { config, tags, layers }: DockerEntry): ArchivedImage {
  const documentBytes = files.read(config);
  const document = parseDocument(documentBytes);
  if (layers.length !== document.rootfs.diff_ids.length)
    throw new EngineError(
      `the archive is not as it must be: ${layers.length} layers, but ${document.rootfs.diff_ids.length} diff_ids`,
    );
  const names = new Map<string, string>();
  const descriptors = layers.map((name) => {
    const blob = files.bring(name);
    try {
      names.set(blob.digest, name);
      return describeLayer(blob);
    } finally {
      close(blob.fd);
    }
  });
  const { manifest, manifestBytes } = makeManifest(documentBytes, descriptors, false);
  return {
    source: { manifest, manifestBytes, document, documentBytes },
    tags,
    fileOf: ({ digest }) => names.get(digest) ?? "",
  };
}
