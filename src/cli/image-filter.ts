import type { Paths } from "../container/paths.ts";
import { findImage, fullName, type ListedImage, listImages } from "../image/store.ts";
import { UsageError } from "./errors.ts";
import { combineFilters, hasLabel } from "./filter.ts";
import type { ImageName } from "./image-listing.ts";
import { parseDuration } from "./units.ts";

/** An image under one of its names. */
export interface NamedImage {
  readonly image: ListedImage;
  readonly name: ImageName;
}

type Test = (one: NamedImage) => boolean;

/** `images --filter`. Throws UsageError on a key that there is none of, or an image that there is none of. */
export function imageFilter(paths: Paths, filters: readonly string[]): Test {
  return combineFilters(filters, (key, value) => testFor(paths, key, value));
}

function testFor(paths: Paths, key: string, value: string): Test {
  switch (key) {
    case "dangling": {
      const wanted = truth(value);
      return ({ image }) => (image.tags.length === 0) === wanted;
    }
    case "label":
      return ({ image }) => hasLabel(labelsOf(paths, image), value);
    case "before":
    case "since": {
      const created = createdOf(paths, value);
      return ({ image }) => {
        const own = Date.parse(image.created ?? "");
        return key === "before" ? own < created : own > created;
      };
    }
    case "until": {
      const limit = timeOf(value);
      return ({ image }) => Date.parse(image.created ?? "") < limit;
    }
    case "reference":
      return referenceTest(value);
    default:
      throw new UsageError(
        `invalid filter '${key}': there are dangling, label, before, since, until and reference`,
      );
  }
}

function truth(value: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new UsageError(`invalid filter 'dangling=${value}': it is true or false`);
}

function labelsOf(paths: Paths, image: ListedImage): Readonly<Record<string, string>> {
  const found = image.id === undefined ? undefined : findImage(paths.root, image.id);
  return found?.config.Labels ?? {};
}

function createdOf(paths: Paths, reference: string): number {
  const full = fullName(reference);
  const id = findImage(paths.root, reference)?.id;
  const found = listImages(paths.root).find(
    (image) => image.tags.includes(full) || (image.id !== undefined && image.id === id),
  );
  if (found?.created === undefined) throw new UsageError(`No such image: ${reference}`, 1);
  return Date.parse(found.created);
}

/** A point in time: RFC 3339 or a date, seconds since 1970, or a duration back from now, as Docker's `until` has it; in ms. */
export function timeOf(value: string): number {
  const duration = parseDuration(value);
  if (duration !== undefined) return Date.now() - duration / 1e6;
  const time = /^[0-9]+(\.[0-9]+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  if (Number.isNaN(time))
    throw new UsageError(`invalid filter 'until=${value}': use a duration such as 24h, or a date`);
  return time;
}

/** Docker's path.Match on the familiar name, with or without the tag; a plain repository stands for all of its tags. */
function referenceTest(pattern: string): Test {
  const glob = globOf(pattern);
  return ({ name }) =>
    [name.repository, `${name.repository}:${name.tag}`, `${name.repository}@${name.digest}`].some((text) =>
      glob.test(text),
    );
}

/** path.Match of Go: `*` and `?` stop at a slash. */
function globOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw new UsageError(`invalid pattern '${pattern}'`);
  }
}

/** What `images NAME` asks for: a repository with all its tags, one tag or digest of it, or a pattern. */
export function askedFor(wanted: string): Test {
  const whole = wanted.replace(/^(docker\.io\/library\/|docker\.io\/|library\/)/, "");
  return referenceTest(whole);
}
