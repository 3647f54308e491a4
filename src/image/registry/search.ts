import { EngineError } from "../../linux/errors.ts";
import { HUB } from "../full-name.ts";
import { Endpoint } from "./endpoint.ts";
import { bodyWords, oneLine, RegistryError } from "./errors.ts";
import { placesOf, readRegistries } from "./registries-conf.ts";
import { TIMING } from "./retry.ts";
import { isFields, surroundings } from "./surroundings.ts";

/** A repository that a search has found. */
export interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

/** Answers longer than this are no results of a search. */
const LARGEST = 4 << 20;

/**
 * Searches a registry by its v1 API, the only one that has a search; the distribution specification has none. EngineError
 * where the registry does not offer it.
 */
export async function searchRegistry(
  domain: string,
  text: string,
  limit: number,
  signal: AbortSignal,
): Promise<FoundRepository[]> {
  const where = surroundings();
  const insecure = placesOf(readRegistries(where), domain, "").at(-1)?.insecure === true;
  const host = domain === HUB ? "index.docker.io" : domain;
  const endpoint = new Endpoint(host, insecure, { where, timing: TIMING, signal });
  const path = `/v1/search?q=${encodeURIComponent(text)}&n=${limit}`;
  const answer = await endpoint.call({ method: "GET", path }, { repository: "", scopes: [] });
  if (answer.status === 404 || answer.status === 405 || answer.status === 410)
    throw new EngineError(`cannot search ${domain}: this registry does not support search`, 1);
  if (answer.status !== 200)
    throw new RegistryError(
      `cannot search ${domain}: it answered ${answer.status}: ${bodyWords(await answer.words()).words}`,
      answer.status,
      undefined,
    );
  return resultsOf(new TextDecoder().decode(await answer.bytes(LARGEST)), domain).slice(0, limit);
}

function resultsOf(text: string, domain: string): FoundRepository[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isFields(value) || !Array.isArray(value.results))
    throw new EngineError(`cannot search ${domain}: this registry does not support search`, 1);
  return value.results
    .filter(isFields)
    .map(({ name, description, star_count: stars, is_official: official }) => ({
      name: oneLine(String(name ?? "")),
      description: oneLine(String(description ?? "")),
      stars: Number(stars) || 0,
      official: official === true,
    }));
}
