import { EngineError } from "../../linux/errors.ts";
import type { RegistryOptions } from "./client.ts";
import { type Credentials, eraseCredentials, findCredentials, storeCredentials } from "./credentials.ts";
import { Endpoint } from "./endpoint.ts";
import { bodyWords, RegistryError } from "./errors.ts";
import { placesOf, readRegistries } from "./registries-conf.ts";
import { TIMING } from "./retry.ts";
import { surroundings } from "./surroundings.ts";

/**
 * Asks the registry whether user and password are right, and keeps them (or the identity token that it gave in their place).
 * Returns where, and whether they lie there in plain. RegistryError where they are wrong, with nothing kept.
 */
export async function login(
  domain: string,
  username: string,
  password: string,
  options: RegistryOptions = {},
): Promise<{ readonly place: string; readonly plain: boolean }> {
  if (username === "" || username.includes(":"))
    throw new EngineError("cannot log in: a username has at least one letter and no colon");
  const where = surroundings(options);
  const settings = { where, timing: { ...TIMING, ...options.timing }, signal: options.signal };
  const own = placesOf(readRegistries(where), domain, "").at(-1);
  const insecure = options.insecure === true || own?.insecure === true;
  const endpoint = new Endpoint(domain, insecure, settings, { username, password });
  const answer = await endpoint.call({ method: "GET", path: "/v2/" }, { repository: "", scopes: [] });
  const words = bodyWords(await answer.words()).words;
  if (answer.status !== 200) {
    const said = words.replace(/^unauthorized(?:: )?/, "");
    const why =
      answer.status === 401 ? "unauthorized: incorrect username or password" : `it answered ${answer.status}`;
    const all = said === "" ? why : `${why}: ${said}`;
    throw new RegistryError(`cannot log in to ${domain}: ${all}`, answer.status, undefined);
  }
  return storeCredentials(domain, username, await lasting(endpoint, username, password), where);
}

/** An identity token where the token server gives one, so that the password need not be kept. */
async function lasting(endpoint: Endpoint, username: string, password: string): Promise<Credentials> {
  const { authorizer } = endpoint;
  if (!authorizer.realm) return { username, password };
  const { refresh } = await authorizer.token(authorizer.realm, "", [], true);
  return refresh === undefined ? { username, password } : { identityToken: refresh };
}

/** The user and password that are kept for a registry; undefined where there are none, or a token in their place. */
export async function storedLogin(
  domain: string,
  options: Pick<RegistryOptions, "home" | "env"> = {},
): Promise<{ readonly username: string; readonly password: string } | undefined> {
  const known = await findCredentials(domain, "", surroundings(options));
  return known !== undefined && "password" in known ? known : undefined;
}

/** Forgets a registry's credentials; whether there were any. */
export function logout(
  domain: string,
  options: Pick<RegistryOptions, "home" | "env"> = {},
): Promise<boolean> {
  return eraseCredentials(domain, surroundings(options));
}
