import { readBytes } from "../linux/file.ts";
import type { Parsed } from "./command.ts";
import { parseEnv, parseEnvFile } from "./envfile.ts";
import { UsageError } from "./errors.ts";

/** The variables of --env-file, then those of -e: `K=V`, or `K` to take K out. */
export function readEnvironment(input: Parsed): string[] {
  const own = (name: string): string | undefined => process.env[name];
  const files = input.has("env-file") ? input.list("env-file") : [];
  const fromFiles = files.flatMap((file) => parseEnvFile(readEnvFile(file), own, file));
  return [...fromFiles, ...parseEnv(input.list("env"), own)];
}

function readEnvFile(file: string): string {
  try {
    const bytes = readBytes(file);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError)
      throw new UsageError(`cannot read --env-file ${file}: invalid utf8 bytes`);
    throw new UsageError(
      `cannot read --env-file ${file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
