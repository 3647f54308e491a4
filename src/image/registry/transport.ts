import { Answer } from "./answer.ts";
import { certificatesFor, systemRoots } from "./certificates.ts";
import { TransportError, transportError } from "./errors.ts";
import { proxyFor } from "./proxy.ts";
import type { Timing } from "./retry.ts";
import type { Surroundings } from "./surroundings.ts";
import { Watch } from "./watch.ts";

/** package.json's, put in by build.ts. */
declare const VERSION_BUILT: string | undefined;
const USER_AGENT = `mydocker/${typeof VERSION_BUILT === "string" ? VERSION_BUILT : "0.0.0"}`;
const REDIRECTS = 10;
/** What is sent on to another origin; all else may tell who we are. */
const HARMLESS = ["accept", "range", "content-type", "content-length", "content-range"];
const PIECE = 128 << 10;

export interface Ask {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  /** Names in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes, or a source of exactly `size` bytes that can be opened again. */
  readonly body?: Uint8Array | { readonly size: number; open(): AsyncIterable<Uint8Array> };
  /** Whether what comes is verified by its digest, so that it may come by plain http as well. */
  readonly verified?: boolean;
  /** Stops this request alone. */
  readonly signal?: AbortSignal | undefined;
}

/** What all of a registry's requests share. */
export interface Settings {
  readonly where: Surroundings;
  readonly timing: Timing;
  readonly signal: AbortSignal | undefined;
}

type Tls = NonNullable<BunFetchRequestInit["tls"]>;

/**
 * Sends requests to one registry, and to where it redirects. `host` is as users name it (with its port); `unverified` is
 * for registries whose certificate does not matter. Throws TransportError, or the reason of an aborted signal.
 */
export class Transport {
  readonly #tls = new Map<string, Promise<Tls>>();
  readonly #home: URL;

  constructor(
    readonly host: string,
    readonly unverified: boolean,
    readonly settings: Settings,
  ) {
    this.#home = new URL(`https://${host}`);
  }

  /**
   * One request with its redirects, at most 10, which are followed by hand: what may tell who we are goes only to the
   * origin that was asked, and no redirect leads from https to http where the content is not verified.
   */
  async follow(ask: Ask): Promise<Answer> {
    let current = ask;
    for (let hops = 0; ; hops++) {
      const answer = await this.send(current);
      const next = nextAsk(current, answer);
      if (!next) return answer;
      await answer.discard();
      if (hops === REDIRECTS)
        throw new TransportError(`it redirects more than ${REDIRECTS} times`, "unreadable");
      current = next;
    }
  }

  /** One request without redirects. */
  async send(ask: Ask): Promise<Answer> {
    const { stall } = this.settings.timing;
    const outer = [this.settings.signal, ask.signal].filter((one) => one !== undefined);
    const watch = new Watch(outer);
    let broken: unknown;
    const explain = (error: unknown): unknown => {
      const stopped = outer.find(({ aborted }) => aborted);
      if (stopped) return stopped.reason;
      if (broken !== undefined) return broken;
      return this.#named(
        error instanceof TransportError ? error : transportError(error, ask.url.host),
        ask.url,
      );
    };
    try {
      const init = await this.#init(ask, watch, (error) => {
        broken = error;
      });
      watch.arm(stall);
      const response = await fetch(ask.url, init);
      watch.disarm();
      return new Answer(response, ask.url, watch, stall, explain);
    } catch (error) {
      watch.end();
      throw explain(error);
    }
  }

  /** Whoever reads it thinks of the registry: another host, of tokens, a storage or a proxy, has to be named. */
  #named(error: TransportError, url: URL): TransportError {
    const proxy = proxyFor(url, this.settings.where.env);
    const before = url.hostname === this.#home.hostname ? "" : `${url.host}: `;
    const behind = proxy === undefined ? "" : ` (through the proxy ${new URL(proxy).host})`;
    if (before + behind === "") return error;
    return new TransportError(before + error.message + behind, error.trouble, { cause: error });
  }

  async #init(ask: Ask, watch: Watch, failed: (error: unknown) => void): Promise<BunFetchRequestInit> {
    const { body } = ask;
    const stream = body !== undefined && !(body instanceof Uint8Array);
    return {
      method: ask.method,
      headers: {
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        ...ask.headers,
        ...(stream && { "content-length": String(body.size) }),
      },
      redirect: "manual",
      signal: watch.signal,
      decompress: false,
      proxy: proxyFor(ask.url, this.settings.where.env) ?? false,
      ...(ask.url.protocol === "https:" && { tls: await this.#tlsFor(ask.url) }),
      ...(body !== undefined && { body: stream ? this.#watched(body, watch, failed) : body }),
    } as BunFetchRequestInit;
  }

  /** A body that is sent: each piece taken shows that the connection lives. */
  async *#watched(
    body: { open(): AsyncIterable<Uint8Array> },
    watch: Watch,
    failed: (error: unknown) => void,
  ): AsyncGenerator<Uint8Array> {
    const { stall, commit } = this.settings.timing;
    try {
      for await (const piece of body.open())
        for (let at = 0; at < piece.length; at += PIECE) {
          watch.arm(stall);
          // a copy: the source may use its buffer again before this piece is on its way
          yield piece.slice(at, at + PIECE);
        }
    } catch (error) {
      failed(error);
      throw error;
    }
    watch.arm(commit);
  }

  #tlsFor(url: URL): Promise<Tls> {
    const known = this.#tls.get(url.host);
    if (known) return known;
    const made = this.#makeTls(url);
    this.#tls.set(url.host, made);
    return made;
  }

  /** The registry's own CAs hold for where it redirects too, a private storage as a rule; its client certificate does not. */
  async #makeTls(url: URL): Promise<Tls> {
    const { where } = this.settings;
    const own = certificatesFor(this.host, where);
    const theirs = url.host === this.#home.host ? own : certificatesFor(url.host, where);
    const extra = theirs === own ? own.ca : [...own.ca, ...theirs.ca];
    return {
      ca: [...(await systemRoots(where)), ...extra],
      rejectUnauthorized: !(this.unverified && url.hostname === this.#home.hostname),
      ...theirs.client,
    };
  }
}

/** The request that a redirect asks for, or undefined where the answer is none that can be followed. */
function nextAsk(ask: Ask, answer: Answer): Ask | undefined {
  const { status } = answer;
  const location = answer.headers.get("location");
  const reads = ask.method === "GET" || ask.method === "HEAD";
  const moved = status === 307 || status === 308 || (reads && [301, 302, 303].includes(status));
  if (!moved || location === null) return undefined;
  if (!URL.canParse(location, ask.url.href))
    throw new TransportError("it redirects to no address", "unreadable");
  const url = new URL(location, ask.url.href);
  url.username = "";
  url.password = "";
  url.hash = "";
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new TransportError("it redirects to what is not http", "unreadable");
  if (ask.url.protocol === "https:" && url.protocol === "http:" && !ask.verified)
    throw new TransportError(`it redirects from https to plain http (${url.host})`, "unreadable");
  if (url.origin === ask.url.origin) return { ...ask, url };
  const headers = Object.entries(ask.headers ?? {}).filter(([name]) => HARMLESS.includes(name));
  return { ...ask, url, headers: Object.fromEntries(headers) };
}
