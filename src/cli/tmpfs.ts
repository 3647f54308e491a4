import type { Tmpfs } from "../container/mount-wish.ts";
import { toDestination } from "./destination.ts";
import { UsageError } from "./errors.ts";

/** Docker's, where nothing else is said. */
const DEFAULTS = ["noexec", "nosuid", "nodev"];
/** What excludes each other: the later one counts. Those in the first place say no more than that the other one is not so. */
const FLAGS: readonly (readonly [plain: string, flag: string])[] = [
  ["rw", "ro"],
  ["suid", "nosuid"],
  ["dev", "nodev"],
  ["exec", "noexec"],
  ["async", "sync"],
  ["nodirsync", "dirsync"],
  ["atime", "noatime"],
  ["diratime", "nodiratime"],
  ["norelatime", "relatime"],
  ["nostrictatime", "strictatime"],
];
const VALUES = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]);

/** --tmpfs /PATH[:OPTIONS]; `text` is the options as they were written. */
export function parseTmpfs(given: string): { readonly mount: Tmpfs; readonly text: string } {
  const wrong = (why: string): UsageError => new UsageError(`invalid tmpfs '${given}': ${why}`);
  const colon = given.indexOf(":");
  const place = colon < 0 ? given : given.slice(0, colon);
  const text = colon < 0 ? "" : given.slice(colon + 1);
  const destination = toDestination(place, wrong);
  const options = text === "" ? [] : text.split(",");
  return { mount: { destination, options: mergeOptions(options, wrong) }, text };
}

/** The options with the defaults; of each kind the last one. */
export function mergeOptions(options: readonly string[], wrong: (why: string) => Error): string[] {
  const byKind = new Map<string, string>();
  for (const option of [...DEFAULTS, ...options]) {
    const [key = "", value] = option.split("=", 2);
    const pair = FLAGS.find((flags) => flags.includes(option));
    if (pair) byKind.set(pair[1], option === pair[1] ? option : "");
    else if (VALUES.has(key) && value) byKind.set(key, option);
    else throw wrong(`Invalid tmpfs option ${JSON.stringify(option)}`);
  }
  return [...byKind.values()].filter((option) => option !== "");
}
