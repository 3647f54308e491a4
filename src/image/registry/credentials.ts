import { EngineError } from "../../linux/errors.ts";
import { HUB } from "../full-name.ts";
import { changeAuths, dockerConfigPath, part, readJsonConfig } from "./docker-config.ts";
import { askHelper, callHelper } from "./helper.ts";
import { type Fields, type Surroundings, textOf } from "./surroundings.ts";

/** Who we are to a registry: a user with a password, or a token that stands for both. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string };

const HUB_KEY = "https://index.docker.io/v1/";
const HUB_NAMES = [HUB, "index.docker.io", "registry-1.docker.io"];
/** Helpers give this user where the secret is an identity token. */
const TOKEN_USER = "<token>";

/** The name under which Docker keeps a registry's credentials: its host, but for the hub. */
function credentialKey(domain: string): string {
  return HUB_NAMES.includes(domain) ? HUB_KEY : domain;
}

/**
 * What is known for a repository: Docker's configuration first (credHelpers, credsStore, auths), then the auth.json of the
 * containers' tools; in each the entry that matches most of `domain/repository`. Undefined where nobody is logged in.
 */
export async function findCredentials(
  domain: string,
  repository: string,
  where: Surroundings,
): Promise<Credentials | undefined> {
  for (const path of [dockerConfigPath(where), ...authFiles(where)]) {
    const found = await fromFile(path, domain, repository, where);
    if (found) return found;
  }
  return undefined;
}

/** containers-auth.json(5): where the others keep theirs. */
function authFiles(where: Surroundings): string[] {
  const run = where.env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`;
  const runtime = where.env.XDG_RUNTIME_DIR ? `${run}/containers/auth.json` : `${run}/auth.json`;
  return [where.env.REGISTRY_AUTH_FILE || runtime, `${where.home}/.config/containers/auth.json`];
}

async function fromFile(
  path: string,
  domain: string,
  repository: string,
  where: Surroundings,
): Promise<Credentials | undefined> {
  const config = readJsonConfig(path);
  const helper = helperOf(config, domain);
  if (helper !== undefined) {
    const key = credentialKey(domain);
    const answer = await askHelper(helper, key, where);
    const found = answer && fromHelper(answer);
    if (found) return found;
  }
  const auths = part(config, "auths");
  const wanted = HUB_NAMES.includes(domain) ? HUB : domain;
  const key = longestMatch(Object.keys(auths), `${wanted}/${repository}`);
  return key === undefined ? undefined : fromEntry(part(auths, key), path);
}

/** The helper for a registry: its own, or the one for all. */
function helperOf(config: Fields, domain: string): string | undefined {
  const helpers = part(config, "credHelpers");
  return textOf(helpers, credentialKey(domain)) ?? textOf(helpers, domain) ?? textOf(config, "credsStore");
}

function fromHelper(answer: Fields): Credentials | undefined {
  const username = textOf(answer, "Username");
  const secret = textOf(answer, "Secret");
  if (username === undefined || secret === undefined) return undefined;
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}

/** The key with the most parts that are those of the name; Docker's older keys have https:// before and /v1/ behind. */
function longestMatch(keys: readonly string[], name: string): string | undefined {
  let best: { key: string; length: number } | undefined;
  for (const key of keys) {
    const plain = plainKey(key);
    const matches = name === plain || name.startsWith(`${plain}/`);
    if (matches && plain.length > (best?.length ?? 0)) best = { key, length: plain.length };
  }
  return best?.key;
}

function plainKey(key: string): string {
  const plain = key
    .replace(/^https?:\/\//, "")
    .replace(/\/v[12]\/?$/, "")
    .replace(/\/+$/, "");
  const [host = "", ...rest] = plain.split("/");
  return [HUB_NAMES.includes(host) ? HUB : host, ...rest].join("/");
}

function fromEntry(entry: Fields, path: string): Credentials | undefined {
  const identityToken = textOf(entry, "identitytoken");
  if (identityToken !== undefined) return { identityToken };
  const auth = textOf(entry, "auth");
  if (auth !== undefined) {
    const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon < 1)
      throw new EngineError(`cannot read ${path}: an "auth" in it is not USER:PASSWORD in base64`);
    return { username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const username = textOf(entry, "username");
  const password = textOf(entry, "password");
  return username === undefined || password === undefined ? undefined : { username, password };
}

/**
 * Keeps credentials for a registry, in the helper that Docker's configuration names, else in that file. Returns where:
 * the helper's name, or the file's path with `plain`, as everybody who can read it has them then.
 */
export async function storeCredentials(
  domain: string,
  username: string,
  credentials: Credentials,
  where: Surroundings,
): Promise<{ readonly place: string; readonly plain: boolean }> {
  const key = credentialKey(domain);
  const helper = helperOf(readJsonConfig(dockerConfigPath(where)), domain);
  const token = "identityToken" in credentials ? credentials.identityToken : undefined;
  const password = "password" in credentials ? credentials.password : "";
  if (helper !== undefined) {
    const stored = { ServerURL: key, Username: token ? TOKEN_USER : username, Secret: token ?? password };
    await callHelper(helper, "store", JSON.stringify(stored), where);
    // as Docker does it: the entry says only that there is one
    changeAuths(where, [key], {});
    return { place: `docker-credential-${helper}`, plain: false };
  }
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  return { place: changeAuths(where, [key], token ? { auth, identitytoken: token } : { auth }), plain: true };
}

/** Forgets what Docker's configuration or its helper has for a registry; whether there was something. */
export async function eraseCredentials(domain: string, where: Surroundings): Promise<boolean> {
  const key = credentialKey(domain);
  const config = readJsonConfig(dockerConfigPath(where));
  const helper = helperOf(config, domain);
  const wanted = plainKey(key);
  const keys = Object.keys(part(config, "auths")).filter((one) => plainKey(one) === wanted);
  let known = keys.length > 0;
  if (helper !== undefined) {
    known ||= (await askHelper(helper, key, where)) !== undefined;
    await callHelper(helper, "erase", key, where);
  }
  changeAuths(where, keys, undefined);
  return known;
}
