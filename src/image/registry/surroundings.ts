import { homedir } from "node:os";
import { errnoWords, SysError } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { readTextIfAny } from "../../linux/file.ts";

/** Where configuration is looked for; tests have their own. */
export interface Surroundings {
  /** Has .docker/config.json and .config/containers/. */
  readonly home: string;
  /** Has docker/certs.d/ and containers/: /etc. */
  readonly etc: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The real ones where nothing else is given. */
export function surroundings(given: Partial<Surroundings> = {}): Surroundings {
  return {
    home: given.home ?? (process.env.HOME || homedir()),
    etc: given.etc ?? "/etc",
    env: given.env ?? process.env,
  };
}

/** The text of a configuration file, or undefined where there is none; EngineError where it cannot be read. */
export function readConfig(path: string): string | undefined {
  try {
    return readTextIfAny(path);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    throw new EngineError(`cannot read ${path}: ${errnoWords(error.code)}`, 125, { cause: error });
  }
}

/** A JSON object, as it comes from outside: each field has to be looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object (no list, no null). */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON object that a text is, or undefined where it is none. */
export function parseFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A field that is a text with something in it. */
export function textOf(fields: Fields, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}
