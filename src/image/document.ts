import { EngineError } from "../linux/errors.ts";
import type { ImageConfig } from "./image.ts";
import { LONGEST_DOCUMENT } from "./read-blob.ts";
import { isDigest } from "./reference.ts";

/** A blob as a manifest names it (OCI image-spec, "Content Descriptors"). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** One of the manifests of a list. */
export interface PlatformDescriptor extends Descriptor {
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

/** A manifest of one image (OCI image-spec, "Image Manifest", or Docker's schema 2). */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

/** What an image's history says of one step (OCI image-spec, "Image Configuration"). */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  /** The step made no layer. */
  readonly empty_layer?: boolean;
}

/** An image's configuration as it is stored; its digest is the image's id. */
export interface ImageDocument {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly author?: string;
  readonly config: ImageConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly string[] };
  readonly history: readonly HistoryEntry[];
}

export const MEDIA = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
} as const;

/** What a layer may be: plain, gzip or zstd, under OCI's and Docker's names, those not to be handed on among them. */
const LAYER =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(foreign\.)?diff\.tar)([.+](gzip|zstd))?$/;
const CONFIGS: ReadonlySet<string> = new Set([MEDIA.ociConfig, MEDIA.dockerConfig]);
/** Overlayfs takes 500 lower folders; Docker stops at 125 to 127, as an image has to fit beside what is built on it. */
export const MOST_LAYERS = 127;

type Fields = Readonly<Record<string, unknown>>;

/** The JSON object in a document from outside. Throws EngineError where it is none. */
export function parseObject(bytes: Uint8Array, what: string): Fields {
  if (bytes.length > LONGEST_DOCUMENT)
    throw new EngineError(`the ${what} is too long: ${LONGEST_DOCUMENT} bytes at most`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new EngineError(`the ${what} is no JSON document`);
  }
  if (!isShallow(value)) throw new EngineError(`the ${what} is nested too deeply`);
  return fieldsOf(value, what);
}

/** No document of an image needs more than ten; some thousands are more than JSON.stringify bears, which is to write it anew. */
const DEEPEST = 100;

function isShallow(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return false;
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
  }
  return true;
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new EngineError(`the ${what} is not as it must be: an object was expected`);
  return value as Fields;
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size } = fieldsOf(value, what);
  if (typeof digest !== "string" || !isDigest(digest))
    throw new EngineError(`the ${what} has an invalid digest ${show(digest)}: sha256 is needed`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw new EngineError(`the ${what} has an invalid size ${show(size)}`);
  if (typeof mediaType !== "string") throw new EngineError(`the ${what} has no media type`);
  return { mediaType, digest, size };
}

/** What is wrong, short enough for a line and without control characters. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** The media type of a manifest: what it says of itself, else what the registry said, else what its fields show. */
export function mediaTypeOf(fields: Fields, said: string | undefined): string {
  if (typeof fields.mediaType === "string") return fields.mediaType;
  if (Array.isArray(fields.manifests)) return said === MEDIA.dockerList ? said : MEDIA.ociIndex;
  if (fields.schemaVersion === 2) return said === MEDIA.dockerManifest ? said : MEDIA.ociManifest;
  return said ?? "";
}

/** Whether a document is a list of manifests for several platforms. */
export function isList(mediaType: string): boolean {
  return mediaType === MEDIA.ociIndex || mediaType === MEDIA.dockerList;
}

/** What is a manifest and a list at once is one to some readers and the other to the next (CVE-2021-41190). */
function mustLack(fields: Fields, names: readonly string[], what: string): void {
  for (const name of names)
    if (fields[name] !== undefined && fields[name] !== null)
      throw new EngineError(`the ${what} is not as it must be: it has ${name} too`);
}

/** The manifests of a list. Throws EngineError where it is not as it must be. */
export function parseList(bytes: Uint8Array): PlatformDescriptor[] {
  const fields = parseObject(bytes, "manifest list");
  mustLack(fields, ["config", "layers"], "manifest list");
  const { manifests } = fields;
  if (!Array.isArray(manifests))
    throw new EngineError("the manifest list is not as it must be: it has no manifests");
  return manifests.map((one: unknown) => {
    const descriptor = descriptorOf(one, "manifest list");
    const { platform } = fieldsOf(one, "manifest list");
    if (platform === undefined) return descriptor;
    const { os, architecture, variant } = fieldsOf(platform, "platform in the manifest list");
    if (typeof os !== "string" || typeof architecture !== "string") return descriptor;
    return {
      ...descriptor,
      platform: { os, architecture, ...(typeof variant === "string" && { variant }) },
    };
  });
}

/**
 * A manifest that was read from outside. `said` is the media type that came with it. Throws EngineError for what is no image
 * (schema 1, an artifact of another kind, encrypted layers), or not as it must be.
 */
export function parseManifest(bytes: Uint8Array, said?: string): Manifest {
  const fields = parseObject(bytes, "manifest");
  if (fields.schemaVersion === 1)
    throw new EngineError(
      "the image is in Docker's old format (manifest schema 1), which is not supported: push it anew with a Docker of this decade",
    );
  mustLack(fields, ["manifests"], "manifest");
  const mediaType = mediaTypeOf(fields, said);
  if (mediaType !== MEDIA.ociManifest && mediaType !== MEDIA.dockerManifest)
    throw new EngineError(`the manifest is of a type that is not supported: ${show(mediaType)}`);
  const config = descriptorOf(fields.config, "manifest's config");
  if (!CONFIGS.has(config.mediaType))
    throw new EngineError(`it is no container image: its config is of type ${show(config.mediaType)}`);
  if (config.size > LONGEST_DOCUMENT)
    throw new EngineError(`the image's configuration is too long: ${config.size} bytes`);
  if (!Array.isArray(fields.layers))
    throw new EngineError("the manifest is not as it must be: it has no layers");
  if (fields.layers.length > MOST_LAYERS)
    throw new EngineError(
      `the image has ${fields.layers.length} layers: ${MOST_LAYERS} at most are supported`,
    );
  const layers = fields.layers.map((layer: unknown) => descriptorOf(layer, "manifest's layer"));
  for (const layer of layers)
    if (!LAYER.test(layer.mediaType))
      throw new EngineError(`a layer is of a type that is not supported: ${show(layer.mediaType)}`);
  return { mediaType, config, layers };
}

/** An image's configuration that was read from outside. Throws EngineError where a field is not of its type. */
export function parseDocument(bytes: Uint8Array): ImageDocument {
  const fields = parseObject(bytes, "image's configuration");
  const text = (key: string): { readonly [name: string]: string } => {
    const value = fields[key];
    if (value === undefined || value === null) return {};
    if (typeof value !== "string")
      throw new EngineError(`the image's configuration is not as it must be: ${key} is no text`);
    return { [key]: value };
  };
  const { diff_ids: ids } = fieldsOf(fields.rootfs, "image's rootfs");
  if (!Array.isArray(ids) || !ids.every((id): id is string => typeof id === "string" && isDigest(id)))
    throw new EngineError("the image's configuration is not as it must be: its diff_ids are no digests");
  const history = fields.history ?? [];
  if (!Array.isArray(history))
    throw new EngineError("the image's configuration is not as it must be: its history is no list");
  return {
    architecture: "",
    os: "linux",
    ...text("architecture"),
    ...text("os"),
    ...text("variant"),
    ...timeOf(fields.created, "image's configuration"),
    ...text("author"),
    config: configOf(fields.config),
    rootfs: { type: "layers", diff_ids: ids },
    history: history.map(historyOf),
  };
}

/** RFC 3339, as far as JavaScript knows it; Docker too refuses an image whose time is none. */
function timeOf(value: unknown, what: string): { readonly created?: string } {
  if (value === undefined || value === null) return {};
  if (typeof value !== "string" || Number.isNaN(Date.parse(value)))
    throw new EngineError(`the ${what} is not as it must be: created is ${show(value)}, which is no time`);
  return { created: value };
}

/** A step of the history with the fields that the specification knows; null is none. */
function historyOf(value: unknown): HistoryEntry {
  const fields = fieldsOf(value, "image's history");
  const texts: Record<string, string> = {};
  for (const key of ["created_by", "author", "comment"]) {
    const text = fields[key];
    if (text === undefined || text === null) continue;
    if (typeof text !== "string")
      throw new EngineError(`the image's history is not as it must be: ${key} is no text`);
    texts[key] = text;
  }
  const { empty_layer: isEmpty } = fields;
  if (isEmpty !== undefined && isEmpty !== null && typeof isEmpty !== "boolean")
    throw new EngineError("the image's history is not as it must be: empty_layer is neither true nor false");
  return {
    ...timeOf(fields.created, "image's history"),
    ...texts,
    ...(isEmpty === true && { empty_layer: true }),
  };
}

const isText = (value: unknown): boolean => typeof value === "string" && !value.includes("\0");
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTextMap = (value: unknown): boolean =>
  isObject(value) && Object.values(value as object).every(isText);
const isObjectMap = (value: unknown): boolean =>
  isObject(value) &&
  Object.entries(value as object).every(([key, one]) => isText(key) && (one === null || isObject(one)));

/** What an image may say of how its containers run, and of which type it must be. */
const CONFIG_FIELDS: Readonly<Record<keyof ImageConfig, (value: unknown) => boolean>> = {
  Env: isTexts,
  Cmd: isTexts,
  Entrypoint: isTexts,
  WorkingDir: isText,
  User: isText,
  Labels: isTextMap,
  ExposedPorts: isObjectMap,
  Volumes: isObjectMap,
  StopSignal: isText,
  Healthcheck: isObject,
  Shell: isTexts,
  OnBuild: isTexts,
};

/** The fields of a configuration that count; null is none. Throws EngineError where one is of another type. */
export function configOf(value: unknown): ImageConfig {
  if (value === undefined || value === null) return {};
  const fields = fieldsOf(value, "image's config");
  const config: Record<string, unknown> = {};
  for (const [key, fits] of Object.entries(CONFIG_FIELDS)) {
    const field = fields[key];
    if (field === undefined || field === null) continue;
    if (!fits(field))
      throw new EngineError(`the image's configuration is not as it must be: ${key} is ${show(field)}`);
    config[key] = field;
  }
  return config;
}

/** Chain ids (OCI image-spec, "Layer ChainID") of layers given from the lowest up, as hex digits: the names of their folders. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const digest =
      below === undefined
        ? diffId.slice("sha256:".length)
        : new Bun.CryptoHasher("sha256").update(`sha256:${below} ${diffId}`).digest("hex");
    chain.push(digest);
  }
  return chain;
}
