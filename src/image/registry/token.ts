import type { Answer } from "./answer.ts";
import type { Credentials } from "./credentials.ts";
import { bodyWords, RegistryError, TransportError } from "./errors.ts";
import { retryAfter } from "./retry.ts";
import { parseFields, textOf } from "./surroundings.ts";
import type { Transport } from "./transport.ts";

/** A token server asked for by a registry (Docker Registry v2 authentication). */
export interface Realm {
  readonly url: URL;
  readonly service: string | undefined;
}

/** A token, with the time (performance.now) from which it should no longer be used. */
export interface Token {
  readonly value: string;
  readonly until: number;
  /** Stands for user and password from now on; only where it was asked for. */
  readonly refresh: string | undefined;
}

const CLIENT = "mydocker";
/** The specification's, where the server says nothing. */
const LIFETIME = 60;

/**
 * Asks the realm for a token for the scopes: by GET, with user and password where there are some (distribution,
 * "auth/token"), or by POST for an identity token ("auth/oauth"). RegistryError where it refuses, TransportError where it
 * cannot be reached or makes no sense. With `offline` a refresh token is asked for too.
 */
export async function fetchToken(
  transport: Transport,
  realm: Realm,
  scopes: readonly string[],
  credentials: Credentials | undefined,
  offline = false,
): Promise<Token> {
  const asked = performance.now();
  const answer =
    credentials && "identityToken" in credentials
      ? await post(transport, realm, scopes, credentials.identityToken)
      : await get(transport, realm, scopes, credentials, offline);
  if (answer.status !== 200) throw refused(answer, await answer.words(), realm, credentials);
  const fields = parseFields(await answer.text());
  const value = fields && (textOf(fields, "token") ?? textOf(fields, "access_token"));
  if (!fields || value === undefined || !/^[\x21-\x7e]+$/.test(value))
    throw new TransportError(`the token server ${realm.url.host} gave no token`, "unreadable");
  const given = fields.expires_in;
  const lifetime = typeof given === "number" && given > 0 ? given : LIFETIME;
  // given up a little early: it has to arrive, too
  const until = asked + (lifetime - Math.min(10, lifetime / 10)) * 1000;
  return { value, until, refresh: textOf(fields, "refresh_token") };
}

function get(
  transport: Transport,
  realm: Realm,
  scopes: readonly string[],
  credentials: { readonly username: string; readonly password: string } | undefined,
  offline: boolean,
): Promise<Answer> {
  const url = new URL(realm.url.href);
  if (realm.service !== undefined) url.searchParams.set("service", realm.service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (credentials) url.searchParams.set("account", credentials.username);
  if (offline) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", CLIENT);
  }
  const headers = credentials && { authorization: basic(credentials) };
  return transport.follow({ method: "GET", url, ...(headers && { headers }) });
}

function post(
  transport: Transport,
  realm: Realm,
  scopes: readonly string[],
  identity: string,
): Promise<Answer> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: CLIENT,
    refresh_token: identity,
  });
  if (realm.service !== undefined) form.set("service", realm.service);
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new TextEncoder().encode(form.toString());
  // not to be followed: the token is in the body
  return transport.send({ method: "POST", url: realm.url, headers, body });
}

/** The header for a user and a password (RFC 7617). */
export function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function refused(
  { status, headers }: Answer,
  body: string,
  { url }: Realm,
  credentials: Credentials | undefined,
): RegistryError {
  const { code, words } = bodyWords(body);
  const wrong = credentials && (status === 400 || status === 401 || status === 403);
  const why = wrong ? "unauthorized: incorrect username or password" : `the token server answered ${status}`;
  const said = words.replace(/^unauthorized(?:: )?/i, "");
  const all = said === "" || said === "incorrect username or password" ? why : `${why}: ${said}`;
  return new RegistryError(`cannot log in at ${url.host}: ${all}`, status, code, retryAfter(headers));
}
