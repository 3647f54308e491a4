import { realpathSync } from "node:fs";
import { EngineError } from "../../linux/errors.ts";
import { mkdirAll, writeFileAtomic } from "../../linux/file.ts";
import { type Fields, isFields, parseFields, readConfig, type Surroundings, textOf } from "./surroundings.ts";

/** Docker's configuration of a client, $DOCKER_CONFIG or ~/.docker, config.json. */
export function dockerConfigPath(where: Surroundings): string {
  return `${where.env.DOCKER_CONFIG || `${where.home}/.docker`}/config.json`;
}

/** A configuration file as it is; no fields where there is no file. EngineError where it is no JSON object. */
export function readJsonConfig(path: string): Fields {
  const text = readConfig(path);
  if (text === undefined || text.trim() === "") return {};
  const fields = parseFields(text);
  if (!fields) throw new EngineError(`cannot read ${path}: it is no JSON object; mend or remove it`);
  return fields;
}

/** An object within one, without fields where it is missing or something else. */
export function part(fields: Fields, name: string): Fields {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return isFields(value) ? value : {};
}

/**
 * Puts an entry into `auths` of Docker's configuration, or with undefined takes those of `keys` out. All else that is in the
 * file stays; it is replaced as a whole, mode 0600, and where it is a link its target is. Returns the path.
 */
export function changeAuths(where: Surroundings, keys: readonly string[], entry: Fields | undefined): string {
  const path = dockerConfigPath(where);
  const fields = readJsonConfig(path);
  const auths: Record<string, unknown> = { ...part(fields, "auths") };
  if (entry === undefined && !keys.some((key) => Object.hasOwn(auths, key))) return path;
  for (const key of keys) {
    if (entry === undefined) delete auths[key];
    else auths[key] = entry;
  }
  mkdirAll(path.slice(0, path.lastIndexOf("/")), 0o700);
  writeFileAtomic(realPath(path), `${JSON.stringify({ ...fields, auths }, null, "\t")}\n`, true, 0o600);
  return path;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** The headers that Docker's configuration wants on each request to a registry (HttpHeaders). */
export function httpHeaders(where: Surroundings): Record<string, string> {
  const wanted = part(readJsonConfig(dockerConfigPath(where)), "HttpHeaders");
  const headers: Record<string, string> = {};
  for (const name of Object.keys(wanted)) {
    const value = textOf(wanted, name);
    const usable =
      value !== undefined && /^[\t\x20-\x7e]*$/.test(value) && /^[\w!#$%&'*+.^`|~-]+$/.test(name);
    if (usable && name.toLowerCase() !== "authorization") headers[name.toLowerCase()] = value;
  }
  return headers;
}
