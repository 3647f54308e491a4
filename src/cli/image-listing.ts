import { familiar, type ListedImage, shortId, splitFull } from "../image/store.ts";
import { localTime } from "../linux/time.ts";
import { humanDuration, humanSize } from "./units.ts";

/** Docker's header for each field of `images --format table`. */
export const IMAGE_HEADERS: Record<string, string> = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Size: "SIZE",
};

/** What `images` shows at a name of an image. */
export interface ImageName {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

export const NONE = "<none>";

/**
 * A row for each tag, with the digest of the same repository; for a repository with digests alone one for each of them; for an
 * image without names one.
 */
export function namesOf({ tags, digests }: ListedImage): ImageName[] {
  if (digests.length === 0 && tags.length > 0) return tags.map(nameOfTag);
  const parts = [...tags, ...digests].map(splitFull);
  const digestOf = (repository: string): string =>
    parts.find((one) => one.repository === repository && one.digest !== undefined)?.digest ?? NONE;
  const names: ImageName[] = [];
  for (const { repository, tag, digest = NONE } of parts) {
    if (tag !== undefined)
      names.push({ repository: familiar(repository), tag, digest: digestOf(repository) });
    else if (!parts.some((one) => one.repository === repository && one.tag !== undefined))
      names.push({ repository: familiar(repository), tag: NONE, digest });
  }
  return names.length > 0 ? names : [{ repository: NONE, tag: NONE, digest: NONE }];
}

function nameOfTag(full: string): ImageName {
  const { repository, tag = NONE } = splitFull(full);
  return { repository: familiar(repository), tag, digest: NONE };
}

/** An image under one of its names, with Docker's fields; of one that is not unpacked yet, id and size are not known. */
export function imageRow(image: ListedImage, name: ImageName, whole: boolean): Record<string, string> {
  const time = Date.parse(image.created ?? "");
  const created = Number.isNaN(time) ? undefined : time;
  const id = image.id ?? "";
  const size = image.size === undefined ? "" : humanSize(image.size, 3);
  return {
    Repository: name.repository,
    Tag: name.tag,
    Digest: name.digest,
    ID: whole ? id : shortId(id),
    // asked for by hardly anyone, and a third of the work on all rows
    get CreatedAt() {
      return created === undefined ? "" : localTime(created);
    },
    CreatedSince: sinceText(created),
    Size: size,
    VirtualSize: size,
    SharedSize: "N/A",
    UniqueSize: "N/A",
    Containers: "N/A",
  };
}

/** As Docker: an image that does not say when it was made is of no age. */
function sinceText(created: number | undefined): string {
  if (created === undefined) return "";
  return created <= 0 ? "N/A" : `${humanDuration(Date.now() - created)} ago`;
}
