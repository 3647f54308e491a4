import { parseChallenges } from "./challenge.ts";
import { type Credentials, findCredentials } from "./credentials.ts";
import { loginCommand, RegistryError, TransportError } from "./errors.ts";
import { basic, fetchToken, type Realm, type Token } from "./token.ts";
import type { Transport } from "./transport.ts";

/** What is known of how a registry wants to be told who we are. */
type Scheme = { readonly kind: "basic" } | { readonly kind: "bearer"; readonly realm: Realm };

/** A header to send, and what lets a refusal be judged. */
export interface Authorization {
  readonly header: string;
  /** Made just now, so that another one would be refused as well. */
  readonly fresh: boolean;
}

/**
 * Answers a registry's challenges. Tokens are kept for each set of scopes until they expire; those who want the same one at
 * the same time wait for one request.
 */
export class Authorizer {
  #scheme: Scheme | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();
  readonly #credentials = new Map<string, Promise<Credentials | undefined>>();

  constructor(
    /** As users know it; credentials are kept under it. */
    readonly domain: string,
    readonly transport: Transport,
    /** Instead of those that are kept. */
    readonly given?: Credentials,
  ) {}

  /** The header for a request on a repository, or undefined where nothing was asked for, or nobody is logged in. */
  async authorize(repository: string, scopes: readonly string[]): Promise<Authorization | undefined> {
    const scheme = this.#scheme;
    if (!scheme) return undefined;
    if (scheme.kind === "basic") {
      const known = await this.#find(repository);
      return known && "password" in known ? { header: basic(known), fresh: true } : undefined;
    }
    const key = scopes.join(" ");
    const kept = await this.#tokens.get(key);
    if (kept && performance.now() < kept.until) return { header: `Bearer ${kept.value}`, fresh: false };
    const token = await this.#renew(key, kept, () => this.token(scheme.realm, repository, scopes));
    return { header: `Bearer ${token.value}`, fresh: true };
  }

  /** One request for all who found the same token too old; a failed one is not kept. */
  async #renew(key: string, old: Token | undefined, make: () => Promise<Token>): Promise<Token> {
    const current = this.#tokens.get(key);
    if (current && (await current) !== old) return current;
    const made = make();
    this.#tokens.set(key, made);
    try {
      return await made;
    } catch (error) {
      if (this.#tokens.get(key) === made) this.#tokens.delete(key);
      throw error;
    }
  }

  /** A new token, whatever is kept. */
  async token(realm: Realm, repository: string, scopes: readonly string[], offline = false): Promise<Token> {
    const credentials = await this.#find(repository);
    try {
      return await fetchToken(this.transport, realm, scopes, credentials, offline);
    } catch (error) {
      if (!(error instanceof RegistryError) || !credentials || this.given) throw error;
      const { message, status, code, wait } = error;
      throw new RegistryError(`${message}: '${loginCommand(this.domain)}'`, status, code, wait);
    }
  }

  /**
   * Takes in the WWW-Authenticate header of a 401. Whether the request is worth another try: with what was `sent` it was
   * refused.
   */
  async challenged(
    header: string | null,
    from: URL,
    repository: string,
    scopes: readonly string[],
    sent: Authorization | undefined,
  ): Promise<boolean> {
    const scheme = schemeOf(header ?? "", from);
    if (!scheme) return false;
    const changed = this.#scheme?.kind !== scheme.kind;
    this.#scheme = scheme;
    if (sent?.fresh && !changed) return false;
    if (scheme.kind === "basic") return (await this.#find(repository)) !== undefined;
    // another request may have brought a new one already
    const key = scopes.join(" ");
    const kept = await this.#tokens.get(key);
    if (kept && sent?.header === `Bearer ${kept.value}`) this.#tokens.delete(key);
    return true;
  }

  /** The token server that the last challenge named. */
  get realm(): Realm | undefined {
    return this.#scheme?.kind === "bearer" ? this.#scheme.realm : undefined;
  }

  #find(repository: string): Promise<Credentials | undefined> {
    const known = this.#credentials.get(repository);
    if (known) return known;
    const found = this.given
      ? Promise.resolve(this.given)
      : findCredentials(this.domain, repository, this.transport.settings.where);
    this.#credentials.set(repository, found);
    return found;
  }
}

/** The best scheme of a header: tokens before passwords. A token server must be as safe as the registry is. */
function schemeOf(header: string, from: URL): Scheme | undefined {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.realm);
  if (bearer) {
    const { realm = "", service } = bearer.parameters;
    if (!URL.canParse(realm, from.href))
      throw new TransportError("it names no token server that can be asked", "unreadable");
    const url = new URL(realm, from.href);
    url.username = "";
    url.password = "";
    if (url.protocol !== "https:" && (url.protocol !== "http:" || from.protocol === "https:"))
      throw new TransportError(`its token server ${url.host} is to be asked without https`, "unreadable");
    return { kind: "bearer", realm: { url, service } };
  }
  return challenges.some(({ scheme }) => scheme === "basic") ? { kind: "basic" } : undefined;
}
