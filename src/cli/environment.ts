import { readBytes } from "../linux/file.ts";
import type { Parsed } from "./command.ts";
import { parseEnv, parseEnvFile } from "./envfile.ts";
import { UsageError } from "./errors.ts";
import { splitLabel } from "./labels.ts";

/** The variables of --env-file, then those of -e: `K=V`, or `K` to take K out. */
export function readEnvironment(input: Parsed): string[] {
  const own = (name: string): string | undefined => process.env[name];
  const files = input.has("env-file") ? input.list("env-file") : [];
  const fromFiles = files.flatMap((file) => parseEnvFile(readLines("--env-file", file), own, file));
  return [...fromFiles, ...parseEnv(input.list("env"), own)];
}

/** The labels of --label-file, then those of -l: a later one of a key counts. A bare key has an empty value. */
export function readLabels(input: Parsed): Readonly<Record<string, string>> {
  const files = input.list("label-file");
  const fromFiles = files.flatMap((file) => parseEnvFile(readLines("--label-file", file), () => "", file));
  return Object.fromEntries([...fromFiles, ...input.list("label")].map(splitLabel));
}

function readLines(flag: string, file: string): string {
  try {
    const bytes = readBytes(file);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`cannot read ${flag} ${file}: invalid utf8 bytes`);
    throw new UsageError(
      `cannot read ${flag} ${file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
