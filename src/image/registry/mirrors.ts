import { EngineError } from "../../linux/errors.ts";
import { isDigest } from "../reference.ts";
import { Endpoint } from "./endpoint.ts";
import { RegistryError, TransportError } from "./errors.ts";
import { type Place, placesOf, type Registries, readRegistries } from "./registries-conf.ts";
import type { Settings } from "./transport.ts";

/** A repository at one of the registries that have it. */
export interface Site {
  readonly endpoint: Endpoint;
  /** The repository's name there. */
  readonly path: string;
  /** Whether there is another one to turn to. */
  readonly mirror: boolean;
}

/** How often a mirror may fail before it is asked no more. */
const PATIENCE = 2;

/** The registries that stand for one: its mirrors, in order, and the one itself. */
export class Mirrors {
  readonly #registries: Registries;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #failures = new Map<Endpoint, number>();

  constructor(
    readonly domain: string,
    /** Of the registry itself, besides what registries.conf says. */
    readonly insecure: boolean,
    readonly settings: Settings,
  ) {
    this.#registries = readRegistries(settings.where);
  }

  /** The registry itself, which alone is written to. */
  own(repository: string): Site {
    const place = placesOf(this.#registries, this.domain, repository).at(-1);
    if (!place) throw new EngineError(`cannot use ${this.domain}/${repository}: no registry has it`);
    return this.#site(place);
  }

  /** The first site at which `work` succeeds; the failure of the last one, the registry itself, else. */
  async first<T>(repository: string, reference: string, work: (site: Site) => Promise<T>): Promise<T> {
    const kind = isDigest(reference) ? "digest-only" : "tag-only";
    const notes: string[] = [];
    for (const place of placesOf(this.#registries, this.domain, repository)) {
      if (place.mirror === undefined) break;
      if (place.mirror !== "all" && place.mirror !== kind) continue;
      const site = this.#site(place);
      if ((this.#failures.get(site.endpoint) ?? 0) >= PATIENCE) continue;
      try {
        return await work(site);
      } catch (error) {
        if (!(error instanceof EngineError) || this.settings.signal?.aborted) throw error;
        if (error instanceof TransportError) this.failed(site);
        notes.push(`mirror ${place.host}: ${error.message}`);
      }
    }
    try {
      return await work(this.own(repository));
    } catch (error) {
      throw noted(error, notes);
    }
  }

  /** A site has let us down; a mirror that does so again is left out from then on. */
  failed({ endpoint }: Site): void {
    this.#failures.set(endpoint, (this.#failures.get(endpoint) ?? 0) + 1);
  }

  /** What came from a site was wrong: a mirror is asked no more. */
  distrust({ endpoint }: Site): void {
    this.#failures.set(endpoint, PATIENCE);
  }

  #site({ host, path, insecure, mirror }: Place): Site {
    const unsafe = insecure || (mirror === undefined && this.insecure);
    const key = `${host} ${unsafe} ${mirror !== undefined}`;
    let endpoint = this.#endpoints.get(key);
    if (!endpoint) {
      const { timing } = this.settings;
      // there is another one to turn to
      const patience = mirror === undefined ? timing.attempts : Math.min(timing.attempts, PATIENCE);
      const settings = { ...this.settings, timing: { ...timing, attempts: patience } };
      endpoint = new Endpoint(host, unsafe, settings);
      this.#endpoints.set(key, endpoint);
    }
    return { endpoint, path, mirror: mirror !== undefined };
  }
}

/** A failure with those of the mirrors behind it. */
function noted(error: unknown, notes: readonly string[]): unknown {
  if (notes.length === 0) return error;
  const rest = ` (${notes.join("; ")})`;
  if (error instanceof RegistryError)
    return new RegistryError(error.message + rest, error.status, error.code, error.wait);
  if (error instanceof TransportError)
    return new TransportError(error.message + rest, error.trouble, { cause: error });
  return error;
}
