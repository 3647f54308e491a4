import { HUB } from "../../image/full-name.ts";
import type { FoundRepository } from "../../image/registry/search.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { UsageError } from "../errors.ts";
import { combineFilters } from "../filter.ts";
import { formatRows } from "../format.ts";
import { interruptible } from "../interrupt.ts";

const HEADERS = {
  Name: "NAME",
  Description: "DESCRIPTION",
  StarCount: "STARS",
  IsOfficial: "OFFICIAL",
};
const WIDTH = 45;

/** `search`: repositories of a registry that has a search. */
export const command: Command = {
  name: "search",
  summary: "Search a registry for images",
  usage: "[OPTIONS] TERM",
  flags: [
    { name: "limit", kind: "int", value: "N", help: "So many at most (25; up to 100)" },
    { name: "no-trunc", kind: "bool", help: "Whole descriptions" },
    { name: "filter", short: "f", kind: "list", value: "KEY=VALUE", help: "stars=N, is-official=true|false" },
    { name: "format", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  examples: ["mydocker search debian"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { searchRegistry } = await import("../../image/registry/search.ts");
  const [text = ""] = input.args;
  const limit = input.int("limit") ?? 25;
  if (limit < 1 || limit > 100) throw new UsageError(`invalid limit ${limit}: it is from 1 to 100`);
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === "localhost";
  const fits = combineFilters(input.list("filter"), filterOf);
  const found = await interruptible((signal) =>
    searchRegistry(isDomain ? first : HUB, isDomain ? text.slice(slash + 1) : text, limit, signal),
  );
  const rows = found.filter(fits).map(({ name, description, stars, official }) => ({
    Name: name,
    Description:
      input.bool("no-trunc") || description.length <= WIDTH
        ? description
        : `${description.slice(0, WIDTH - 1)}…`,
    StarCount: String(stars),
    IsOfficial: official ? "[OK]" : "",
  }));
  print(1, formatRows(input.text("format") || "table", HEADERS, rows));
  return 0;
}

function filterOf(key: string, value: string): (one: FoundRepository) => boolean {
  if (key === "stars" && /^[0-9]+$/.test(value)) return ({ stars }) => stars >= Number(value);
  if (key === "is-official" && /^(true|false|1|0)$/.test(value))
    return ({ official }) => official === (value === "true" || value === "1");
  throw new UsageError(`invalid filter '${key}=${value}': there are stars=N and is-official=true|false`);
}
