import { UsageError } from "./errors.ts";

type Lookup = (name: string) => string | undefined;

/** -e: `K=V` as it is; `K` takes the caller's value, and where there is none stays `K`, which takes K out. */
export function parseEnv(entries: readonly string[], lookup: Lookup): string[] {
  return entries.map((entry) => {
    if (entry === "" || entry.startsWith("="))
      throw new UsageError(`invalid environment variable: '${entry}': use KEY=VALUE`);
    return entry.includes("=") ? entry : withValue(entry, lookup);
  });
}

function withValue(name: string, lookup: Lookup): string {
  const value = lookup(name);
  return value === undefined ? name : `${name}=${value}`;
}

/**
 * --env-file: a variable a line, everything behind the first `=` literally (quotes too); `#` only begins a comment at
 * the start of a line; a byte order mark is dropped; a bare name takes the caller's value, or is left out.
 */
export function parseEnvFile(text: string, lookup: Lookup, file = "the env file"): string[] {
  const entries: string[] = [];
  const lines = text.replace(/^\ufeff/, "").split("\n");
  lines.forEach((raw, index) => {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) return;
    const name = line.split("=", 1)[0] ?? "";
    if (name === "" || /\s/.test(name))
      throw new UsageError(
        `cannot read ${file}, line ${index + 1}: '${name}' is no variable name: it is empty or has blanks`,
      );
    if (line.includes("=")) entries.push(line);
    else if (lookup(name) !== undefined) entries.push(withValue(name, lookup));
  });
  return entries;
}
