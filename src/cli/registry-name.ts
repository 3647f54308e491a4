import { HUB } from "../image/full-name.ts";
import { UsageError } from "./errors.ts";

/** The registry that a person means: a host, with or without https:// before it and a path behind; Docker's own by its old address too. */
export function registryOf(text: string): string {
  const host = text.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  if (/^(index\.|registry-1\.)?docker\.io$/.test(host)) return HUB;
  if (!/^[a-zA-Z0-9.-]+(:[0-9]{1,5})?$|^\[[0-9a-fA-F:]+\](:[0-9]{1,5})?$/.test(host))
    throw new UsageError(`invalid registry '${text}': use HOST or HOST:PORT`, 1);
  return host;
}
