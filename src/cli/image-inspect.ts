import type { Paths } from "../container/paths.ts";
import { type ImageDocument, parseDocument } from "../image/document.ts";
import { hostPlatform } from "../image/platform.ts";
import { readBlob } from "../image/read-blob.ts";
import { familiar, findImage, fullName, type ListedImage, listImages } from "../image/store.ts";

/** An image as `docker inspect` shows it; undefined where there is none of that name (or beginning of an id). */
export function inspectImage(paths: Paths, reference: string): object | undefined {
  const full = fullName(reference);
  const all = listImages(paths.root);
  const found = findImage(paths.root, reference);
  const listed =
    all.find(({ tags, digests }) => tags.includes(full) || digests.includes(full)) ??
    all.find(({ id }) => id !== undefined && id === found?.id) ??
    all.find((image) => beginsWith(image, reference));
  if (!listed) return undefined;
  const image = found ?? (listed.id === undefined ? undefined : findImage(paths.root, listed.id));
  const document = documentOf(paths, listed);
  const { architecture, os, variant } = document ?? hostPlatform();
  return {
    Id: image?.id ?? listed.id ?? "",
    RepoTags: listed.tags.map(familiar),
    RepoDigests: listed.digests.map(familiar),
    Parent: "",
    Comment: document?.history.at(-1)?.comment ?? "",
    Created: listed.created ?? "",
    Author: document?.author ?? "",
    Config: image?.config ?? {},
    Architecture: architecture,
    ...(variant !== undefined && { Variant: variant }),
    Os: os,
    Size: listed.size ?? 0,
    VirtualSize: listed.size ?? 0,
    GraphDriver: { Name: "overlay2", Data: { LowerDir: image?.layers.join(":") ?? "" } },
    RootFS: { Type: "layers", Layers: document?.rootfs.diff_ids ?? layersOf(listed) },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}

/** The configuration of an image that has one. */
function documentOf(paths: Paths, { id, entry }: ListedImage): ImageDocument | undefined {
  if (id === undefined || entry?.manifest === undefined) return undefined;
  return parseDocument(readBlob(paths.root, id));
}

/** The only layer of an archive is called by its diff id. */
function layersOf({ entry }: ListedImage): string[] {
  return (entry?.layers ?? []).map((layer) => `sha256:${layer}`);
}

function beginsWith({ id }: ListedImage, reference: string): boolean {
  const digits = reference.replace(/^sha256:/, "");
  return /^[0-9a-f]{6,64}$/.test(digits) && (id ?? "").startsWith(`sha256:${digits}`);
}
