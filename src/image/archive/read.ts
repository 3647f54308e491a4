import { EngineError } from "../../linux/errors.ts";
import { close } from "../../linux/file.ts";
import {
  type Descriptor,
  isList,
  MOST_LAYERS,
  mediaTypeOf,
  parseList,
  parseManifest,
  parseObject,
} from "../document.ts";
import type { ImageSource } from "../install.ts";
import { describeLayer, makeManifest } from "../make-manifest.ts";
import { type Platform, selectPlatform } from "../platform.ts";
import { canonical, parseReference } from "../reference.ts";
import { blobName, Documents } from "./documents.ts";
import type { ArchiveFiles } from "./files.ts";

/** One image of an archive, before it is installed. */
export interface ArchivedImage {
  readonly source: ImageSource;
  /** Whole names. */
  readonly tags: readonly string[];
  /** Where in the archive the blob of a layer is. */
  readonly fileOf: (layer: Descriptor) => string;
}

/** Each is an image of its own in the store, with its own line in the index. */
const MOST_IMAGES = 1000;
/** Lists of manifests may name other lists. */
const MOST_LISTS = 4;

/**
 * The images of an archive or layout: OCI (image-spec, "Image Layout") or Docker's (manifest.json, as `docker save` writes it).
 * Where it is both, as Docker's own are since 25, the manifests are taken from the first and the names from the second. An
 * image that is named several times comes once, with all of its names. Throws EngineError where it is neither, or not as it
 * must be.
 */
export function readArchive(files: ArchiveFiles, platform: Platform): ArchivedImage[] {
  const documents = new Documents(files);
  const docker = files.has("manifest.json") ? readDockerManifest(documents) : [];
  if (files.has("index.json")) return readIndexed(documents, platform, docker);
  if (docker.length > 0) return readDocker(documents, docker);
  throw new EngineError(
    "it is no archive of images: there is neither index.json nor manifest.json in it; 'mydocker import' takes the archive of a root file system",
  );
}

function tooMany(): EngineError {
  return new EngineError(`the archive has more than ${MOST_IMAGES} images`);
}

function readIndexed(
  documents: Documents,
  platform: Platform,
  docker: readonly DockerEntry[],
): ArchivedImage[] {
  const names = new Map(docker.map(({ config, tags }) => [documents.digest(config), tags]));
  const bytes = documents.read("index.json");
  const { manifests } = parseObject(bytes, "index.json");
  const annotations = Array.isArray(manifests) ? manifests.map(annotationsOf) : [];
  const images = new Map<string, { readonly source: ImageSource; readonly tags: Set<string> }>();
  for (const [i, descriptor] of parseList(bytes).entries()) {
    // attestations and the like are for no platform at all
    if (descriptor.platform?.os === "unknown") continue;
    const manifest = manifestFor(documents, descriptor, platform);
    const known = images.get(manifest.digest);
    const image = known ?? { source: readSource(documents, manifest), tags: new Set<string>() };
    images.set(manifest.digest, image);
    if (images.size > MOST_IMAGES) throw tooMany();
    const named = nameIn(annotations[i] ?? {});
    const tags = named.length > 0 ? named : (names.get(image.source.manifest.config.digest) ?? []);
    for (const tag of tags) image.tags.add(tag);
  }
  if (images.size === 0) throw new EngineError("there is no image in the archive");
  const fileOf = ({ digest }: Descriptor): string => blobName(digest);
  return [...images.values()].map(({ source, tags }) => ({ source, tags: [...tags], fileOf }));
}

/** The manifest that a descriptor leads to, by lists where it must be. */
function manifestFor(documents: Documents, first: Descriptor, platform: Platform): Descriptor {
  let descriptor = first;
  for (let lists = 0; lists <= MOST_LISTS; lists++) {
    const bytes = documents.verified(descriptor);
    const mediaType = mediaTypeOf(parseObject(bytes, "manifest"), descriptor.mediaType);
    if (!isList(mediaType)) return descriptor;
    descriptor = selectPlatform(parseList(bytes), platform);
  }
  throw new EngineError("the archive is not as it must be: its lists of manifests only name other lists");
}

function readSource(documents: Documents, descriptor: Descriptor): ImageSource {
  const manifestBytes = documents.verified(descriptor);
  const manifest = parseManifest(manifestBytes, descriptor.mediaType);
  const documentBytes = documents.verified(manifest.config);
  const document = documents.config(blobName(manifest.config.digest));
  return { manifest, manifestBytes, document, documentBytes };
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

function readDockerManifest(documents: Documents): DockerEntry[] {
  const bytes = documents.read("manifest.json");
  const wrong = new EngineError("the archive's manifest.json is not as it must be");
  const value = parseArray(bytes, wrong);
  if (value.length > MOST_IMAGES) throw tooMany();
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

/** The images of a docker-archive. */
function readDocker(documents: Documents, entries: readonly DockerEntry[]): ArchivedImage[] {
  const descriptors = new Map<string, Descriptor>();
  const describe = (name: string): Descriptor => {
    const known = descriptors.get(name);
    if (known !== undefined) return known;
    const blob = documents.files.bring(name);
    try {
      const descriptor = describeLayer(blob);
      descriptors.set(name, descriptor);
      return descriptor;
    } finally {
      close(blob.fd);
    }
  };
  return entries.map((entry) => fromDocker(documents, entry, describe));
}

/** Docker's archives have no manifest of the image: it is made here, of Docker's own kind, from what is in the archive. */
function fromDocker(
  documents: Documents,
  { config, tags, layers }: DockerEntry,
  describe: (name: string) => Descriptor,
): ArchivedImage {
  const documentBytes = documents.read(config);
  const document = documents.config(config);
  const { diff_ids: diffIds } = document.rootfs;
  if (layers.length !== diffIds.length)
    throw new EngineError(
      `the archive is not as it must be: ${layers.length} layers, but ${diffIds.length} diff_ids`,
    );
  // before any of them is looked at: there may be very many
  if (layers.length > MOST_LAYERS)
    throw new EngineError(`the image has ${layers.length} layers: ${MOST_LAYERS} at most are supported`);
  const descriptors = layers.map(describe);
  const names = new Map(descriptors.map(({ digest }, i) => [digest, layers[i] ?? ""]));
  const { manifest, manifestBytes } = makeManifest(documentBytes, descriptors, false);
  return {
    source: { manifest, manifestBytes, document, documentBytes },
    tags,
    fileOf: ({ digest }) => names.get(digest) ?? "",
  };
}
