import { HUB } from "../full-name.ts";
import type { Answer } from "./answer.ts";
import { Authorizer } from "./authorizer.ts";
import { certificatesFor } from "./certificates.ts";
import type { Credentials } from "./credentials.ts";
import { httpHeaders } from "./docker-config.ts";
import { RegistryError, TransportError } from "./errors.ts";
import { isLoopback } from "./proxy.ts";
import { delay, passes, pause, retryAfter, type Timing } from "./retry.ts";
import { type Ask, type Settings, Transport } from "./transport.ts";

/** An `Ask` whose address is within the registry, or whole where the registry gave it (an upload's). */
export type Call = Omit<Ask, "url"> & {
  readonly path: string | URL;
  /** The body of a 200 to a GET is read at once, up to so many bytes, so that a cut in it is tried again as well. */
  readonly limit?: number;
};

/** On what a request works: a token is asked for it. */
export interface Subject {
  readonly repository: string;
  readonly scopes: readonly string[];
}

/** A registry at one address: its requests with authentication and, where a failure may pass, more tries. */
export class Endpoint {
  readonly authorizer: Authorizer;
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #mayBePlain: boolean;
  #origin: Promise<URL> | undefined;

  constructor(
    /** As users know it. */
    readonly domain: string,
    insecure: boolean,
    readonly settings: Settings,
    given?: Credentials,
  ) {
    // the hub's name is not where its registry is
    const host = domain === HUB ? "registry-1.docker.io" : domain;
    if (!URL.canParse(`https://${host}`)) throw new TransportError("its name is none of a host", "name");
    // As with Docker, loopback may do without certificates and without TLS; but whoever gave it a CA means TLS.
    const here = isLoopback(new URL(`https://${host}`).hostname.replace(/^\[|\]$/g, ""));
    const trusting = here && certificatesFor(host, settings.where).ca.length === 0;
    this.#mayBePlain = insecure || trusting;
    this.#transport = new Transport(host, this.#mayBePlain, settings);
    this.#headers = httpHeaders(settings.where);
    this.authorizer = new Authorizer(domain, this.#transport, given);
  }

  /** The address up to the path; plain http only where it is allowed and https does not answer. */
  origin(): Promise<URL> {
    this.#origin ??= this.#findOrigin().catch((error: unknown) => {
      this.#origin = undefined;
      throw error;
    });
    return this.#origin;
  }

  async #findOrigin(): Promise<URL> {
    const safe = new URL(`https://${this.#transport.host}`);
    if (!this.#mayBePlain) return safe;
    try {
      await this.#ping(safe);
      return safe;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
    const plain = new URL(`http://${this.#transport.host}`);
    await this.#ping(plain);
    return plain;
  }

  async #ping(origin: URL): Promise<void> {
    const answer = await this.#transport.send({ method: "GET", url: new URL("/v2/", origin.href) });
    await answer.discard();
  }

  /**
   * The answer to a request, be it a refusal. What may pass (a cut, a stall, 429, 5xx) is tried again after a wait, unless
   * `once`. Throws TransportError with the registry's name before its words.
   */
  async call(call: Call, subject: Subject, once = false): Promise<Answer> {
    const { timing, signal } = this.settings;
    for (let failed = 1; ; failed++) {
      const last = once || failed >= timing.attempts;
      let wait: number | undefined;
      try {
        const answer = await this.#authorized(call, subject);
        if (call.limit !== undefined && call.method === "GET" && answer.status === 200)
          await answer.bytes(call.limit);
        wait = passes(answer.status) && !last ? delay(failed, timing, retryAfter(answer.headers)) : undefined;
        if (wait === undefined) return answer;
        await answer.discard();
      } catch (error) {
        wait = last ? undefined : waitAfter(error, failed, timing);
        if (wait === undefined) throw error instanceof TransportError ? this.#named(error) : error;
      }
      await pause(wait, signal);
    }
  }

  /** A failure of the transport, with the registry's name. */
  #named(error: TransportError): TransportError {
    return new TransportError(`cannot reach registry ${this.domain}: ${error.message}`, error.trouble, {
      cause: error,
    });
  }

  async #authorized(call: Call, subject: Subject): Promise<Answer> {
    const origin = await this.origin();
    const url = typeof call.path === "string" ? new URL(call.path, origin.href) : call.path;
    const ours = url.origin === origin.origin;
    for (let refused = 0; ; refused++) {
      const sent = ours ? await this.authorizer.authorize(subject.repository, subject.scopes) : undefined;
      const headers = {
        ...(ours && this.#headers),
        ...call.headers,
        ...(sent && { authorization: sent.header }),
      };
      const { path: _path, limit: _limit, ...rest } = call;
      const answer = await this.#transport.follow({ ...rest, url, headers });
      const challenge = answer.headers.get("www-authenticate");
      const { repository, scopes } = subject;
      // only the registry itself may ask who we are, not where it has sent us
      if (answer.status !== 401 || answer.url.origin !== origin.origin || refused === 2) return answer;
      if (!(await this.authorizer.challenged(challenge, answer.url, repository, scopes, sent))) return answer;
      await answer.discard();
    }
  }
}

/** How long to wait after a failure, undefined where it will not pass; a token server's refusal is one too. */
function waitAfter(error: unknown, failed: number, timing: Timing): number | undefined {
  if (error instanceof RegistryError && passes(error.status)) return delay(failed, timing, error.wait);
  return error instanceof TransportError && error.passes ? delay(failed, timing) : undefined;
}
