import type { Paths } from "../container/paths.ts";
import { findImage, imageName, type ListedImage, listImages, repositoryAndTag } from "../image/store.ts";
import { localTime } from "../linux/time.ts";
import { humanDuration, humanSize } from "./units.ts";

/** Docker's header for each field of `images --format table`. */
export const IMAGE_HEADERS: Record<string, string> = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  ID: "IMAGE ID",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Size: "SIZE",
  Digest: "DIGEST",
};

/** An image with Docker's fields; of one that is not unpacked yet, id and size are not known. */
export function imageRow(image: ListedImage, whole: boolean): Record<string, string> {
  const created = image.created === undefined ? undefined : Date.parse(image.created);
  const id = image.id ?? "";
  const [repository, tag] = repositoryAndTag(image.name);
  return {
    Repository: repository,
    Tag: tag,
    ID: whole ? id : id.replace(/^sha256:/, "").slice(0, 12),
    CreatedAt: created === undefined ? "" : localTime(created),
    CreatedSince: created === undefined ? "" : `${humanDuration(Date.now() - created)} ago`,
    Size: image.size === undefined ? "" : humanSize(image.size),
    Digest: id,
  };
}

/** An image as `docker inspect` shows it; undefined where there is none of that name (or beginning of an id). */
export function inspectImage(paths: Paths, reference: string): object | undefined {
  const listed = listImages(paths.root).find(
    (image) => image.name === nameOf(reference) || fitsId(image, reference),
  );
  if (!listed) return undefined;
  const image = findImage(paths.root, listed.name);
  return {
    Id: image?.id ?? listed.id ?? "",
    RepoTags: [repositoryAndTag(listed.name).join(":")],
    Created: listed.created ?? "",
    Architecture: process.arch === "x64" ? "amd64" : process.arch,
    Os: "linux",
    Size: listed.size ?? 0,
    GraphDriver: { Name: "overlay2", Data: { LowerDir: image?.layers.join(":") ?? "" } },
    RootFS: { Type: "layers", Layers: image ? [image.id] : [] },
    Config: image?.config ?? {},
  };
}

function nameOf(reference: string): string | undefined {
  try {
    return imageName(reference);
  } catch {
    return undefined;
  }
}

function fitsId(image: ListedImage, reference: string): boolean {
  const digits = reference.replace(/^sha256:/, "");
  return /^[0-9a-f]{6,64}$/.test(digits) && (image.id ?? "").startsWith(`sha256:${digits}`);
}
