import { EngineError } from "../../linux/errors.ts";
import { listFolder } from "../../linux/folder.ts";
import { exists } from "../../linux/stat.ts";
import { type Fields, isFields, readConfig, type Surroundings, textOf } from "./surroundings.ts";

/** Where a repository can be had. */
export interface Place {
  /** `registry.example:5000`. */
  readonly host: string;
  /** The repository there. */
  readonly path: string;
  readonly insecure: boolean;
  /** What a mirror is asked for; undefined for the registry itself, which is asked for all. */
  readonly mirror?: "all" | "digest-only" | "tag-only";
}

interface Entry {
  readonly prefix: string;
  readonly location: string | undefined;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly {
    readonly location: string;
    readonly insecure: boolean;
    readonly pull: "all" | "digest-only" | "tag-only";
  }[];
}

/** What registries.conf says; entries by their prefix. */
export type Registries = ReadonlyMap<string, Entry>;

/**
 * Reads containers-registries.conf(5), version 2: the user's file instead of the system's where there is one, and after it
 * the files of registries.conf.d, whose entries replace those of the same prefix. $CONTAINERS_REGISTRIES_CONF names
 * another file. EngineError, naming the file, where one cannot be understood.
 */
export function readRegistries(where: Surroundings): Registries {
  const system = `${where.etc}/containers/registries.conf`;
  const user = `${where.home}/.config/containers/registries.conf`;
  const named = where.env.CONTAINERS_REGISTRIES_CONF;
  const own = !named && exists(user);
  const folders = own ? [`${user}.d`] : [`${system}.d`, `${user}.d`];
  const more = folders.flatMap((folder) =>
    listFolder(folder)
      .map(({ name }) => name)
      .filter((name) => name.endsWith(".conf"))
      .sort()
      .map((name) => `${folder}/${name}`),
  );
  const entries = new Map<string, Entry>();
  for (const path of [named || (own ? user : system), ...more])
    for (const entry of readFile(path)) entries.set(entry.prefix, entry);
  return entries;
}

function readFile(path: string): Entry[] {
  const text = readConfig(path);
  if (text === undefined) return [];
  const fail = (why: string): EngineError => new EngineError(`cannot read ${path}: ${why}`);
  let parsed: unknown;
  try {
    parsed = Bun.TOML.parse(text);
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
  if (!isFields(parsed)) return [];
  if (parsed.registries !== undefined)
    throw fail("[registries.…] is the old format (version 1); write [[registry]] tables instead");
  return tables(parsed, "registry", fail).map((table) => readEntry(table, fail));
}

type Fail = (why: string) => EngineError;

function tables(fields: Fields, name: string, fail: Fail): Fields[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value) || !value.every(isFields))
    throw fail(`${name} is no list of tables ([[${name}]])`);
  return value;
}

function readEntry(table: Fields, fail: Fail): Entry {
  const location = place(table, "location", fail);
  const prefix = place(table, "prefix", fail) ?? location;
  if (prefix === undefined) throw fail("a [[registry]] has neither prefix nor location");
  const digestOnly = flag(table, "mirror-by-digest-only", fail);
  const mirrors = tables(table, "mirror", fail).map((mirror) => {
    const at = place(mirror, "location", fail);
    if (at === undefined) throw fail(`a mirror of ${prefix} has no location`);
    return { location: at, insecure: flag(mirror, "insecure", fail), pull: pullOf(mirror, digestOnly, fail) };
  });
  return {
    prefix,
    location: location ?? (prefix.startsWith("*.") ? undefined : prefix),
    insecure: flag(table, "insecure", fail),
    blocked: flag(table, "blocked", fail),
    mirrors,
  };
}

function pullOf(mirror: Fields, digestOnly: boolean, fail: Fail): "all" | "digest-only" | "tag-only" {
  const pull = textOf(mirror, "pull-from-mirror") ?? (digestOnly ? "digest-only" : "all");
  if (pull === "all" || pull === "digest-only" || pull === "tag-only") return pull;
  throw fail(`pull-from-mirror is all, digest-only or tag-only, not ${JSON.stringify(pull)}`);
}

function flag(table: Fields, name: string, fail: Fail): boolean {
  const value = table[name] ?? false;
  if (typeof value !== "boolean") throw fail(`${name} is true or false`);
  return value;
}

/** A host with an optional path; without what http would have before or behind it. */
function place(table: Fields, name: string, fail: Fail): string | undefined {
  const text = textOf(table, name)?.replace(/\/+$/, "");
  if (text === undefined) return undefined;
  if (/^[a-z]+:\/\//.test(text))
    throw fail(`${name} ${JSON.stringify(text)} must not begin with http:// or https://`);
  return text;
}

/**
 * Where to look for a repository, best first: the mirrors in their order, then the registry itself, last, all by the entry
 * with the longest prefix. Without an entry there is only the registry. EngineError where the entry blocks it.
 */
export function placesOf(registries: Registries, domain: string, path: string): Place[] {
  const name = `${domain}/${path}`;
  const entry = [...registries.values()]
    .filter(({ prefix }) => matched(prefix, name) !== undefined)
    .sort((a, b) => b.prefix.length - a.prefix.length)[0];
  if (!entry) return [{ host: domain, path, insecure: false }];
  if (entry.blocked)
    throw new EngineError(`cannot use ${name}: registries.conf blocks ${JSON.stringify(entry.prefix)}`);
  const rest = name.slice(matched(entry.prefix, name) ?? 0);
  const own = split(entry.location === undefined ? name : entry.location + rest);
  return [
    ...entry.mirrors.map(({ location, insecure, pull }) => ({
      ...split(location + rest),
      insecure,
      mirror: pull,
    })),
    { ...own, insecure: entry.insecure },
  ];
}

/** How much of a name a prefix covers, undefined where it does not: whole parts only, or with `*.` any host below. */
function matched(prefix: string, name: string): number | undefined {
  if (prefix.startsWith("*.")) {
    const host = name.slice(0, name.indexOf("/"));
    return host.replace(/:\d+$/, "").endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  if (!name.startsWith(prefix)) return undefined;
  return prefix.length === name.length || name[prefix.length] === "/" ? prefix.length : undefined;
}

function split(name: string): { host: string; path: string } {
  const slash = name.indexOf("/");
  return { host: name.slice(0, slash), path: name.slice(slash + 1) };
}
