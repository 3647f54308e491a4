import { EngineError } from "../../linux/errors.ts";
import type { Site } from "./mirrors.ts";
import { type Asked, accepted, pulling } from "./subject.ts";
import { isFields, parseFields } from "./surroundings.ts";

/** Of one answer. */
const LARGEST = 4 << 20;
/** Pages of a registry that never comes to an end. */
const MOST_PAGES = 100;

/** All tags of a repository (OCI distribution 1.1, "Listing Tags"), page by page. */
export async function listTags(site: Site, asked: Asked): Promise<string[]> {
  const tags: string[] = [];
  let path: string | undefined = `/v2/${site.path}/tags/list?n=1000`;
  for (let page = 0; path !== undefined && page < MOST_PAGES; page++) {
    const answer = await accepted(
      await site.endpoint.call({ method: "GET", path, limit: LARGEST }, pulling(site.path)),
      asked,
      200,
    );
    const fields = parseFields(new TextDecoder().decode(await answer.bytes(LARGEST)));
    const listed = fields?.tags ?? [];
    if (!isFields(fields) || !Array.isArray(listed))
      throw new EngineError(`cannot list the tags of ${asked.repository}: the registry's answer is no list`);
    tags.push(...listed.filter((tag): tag is string => typeof tag === "string"));
    // the next page is said by its path alone, as the registry's own address may be another one behind a proxy
    const next = /<([^>]+)>;\s*rel="?next"?/.exec(answer.headers.get("link") ?? "")?.[1];
    path = next === undefined ? undefined : pathOf(next);
  }
  return tags;
}

function pathOf(link: string): string | undefined {
  const base = "http://registry.invalid";
  if (!URL.canParse(link, base)) return undefined;
  const { pathname, search } = new URL(link, base);
  return pathname + search;
}
