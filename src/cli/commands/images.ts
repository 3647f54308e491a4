import type { Paths } from "../../container/paths.ts";
import { listImages } from "../../image/store.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import type { NamedImage } from "../image-filter.ts";
import { IMAGE_HEADERS, imageRow, namesOf } from "../image-listing.ts";
import { renderTable } from "../table.ts";

/** `images`: what `run` finds. */
export const command: Command = {
  name: "images",
  summary: "List images",
  usage: "[OPTIONS] [NAME[:TAG]]",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "All images (there are no hidden ones: as without it)" },
    { name: "quiet", short: "q", kind: "bool", help: "Only the ids" },
    { name: "no-trunc", kind: "bool", help: "Whole ids" },
    { name: "digests", kind: "bool", help: "Also the digests of what was pulled" },
    { name: "tree", kind: "bool", help: "The layers, and which images share them" },
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "KEY=VALUE",
      help: "Only some: dangling, label, before, since, until, reference",
    },
    {
      name: "format",
      kind: "string",
      value: "TEMPLATE",
      help: "json, or a Go template, with 'table ' before it as a table",
    },
  ],
  args: { min: 0, max: 1 },
  completes: "images",
  interspersed: true,
  examples: [
    "mydocker images",
    "mydocker images --filter dangling=true -q",
    "mydocker images --format '{{.Repository}} {{.Size}}'",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const paths = enginePaths();
  const all = listImages(paths.root).flatMap((image) => namesOf(image).map((name) => ({ image, name })));
  const named = await chosen(input, paths, all);
  if (input.bool("tree")) {
    const { renderTree } = await import("../image-tree.ts");
    print(1, renderTree([...new Set(named.map(({ image }) => image))]));
    return 0;
  }
  const rows = named.map(({ image, name }) => imageRow(image, name, input.bool("no-trunc")));
  if (input.bool("quiet")) {
    print(1, [...new Set(rows.map(({ ID }) => ID))].map((id) => `${id}\n`).join(""));
    return 0;
  }
  const format = input.text("format") || "table";
  const fields = ["Repository", "Tag", ...(input.bool("digests") ? ["Digest"] : []), ...USUAL];
  if (format.trimEnd() === "table") print(1, tableOf(fields, rows));
  else {
    const { formatRows } = await import("../format.ts");
    print(1, formatRows(format, IMAGE_HEADERS, rows));
  }
  return 0;
}

/** What is asked for by a name and filters; what reads those is loaded only then. */
async function chosen(
  input: Parsed,
  paths: Paths,
  all: readonly NamedImage[],
): Promise<readonly NamedImage[]> {
  const [wanted] = input.args;
  const filters = input.list("filter");
  if (wanted === undefined && filters.length === 0) return all;
  const { askedFor, imageFilter } = await import("../image-filter.ts");
  const asked = wanted === undefined ? () => true : askedFor(wanted);
  const fits = imageFilter(paths, filters);
  return all.filter((one) => asked(one) && fits(one));
}

const USUAL = ["ID", "CreatedSince", "Size"];
/** Docker's columns are at least so wide. */
const WIDTH = 10;

/** The usual table without a template: with hundreds of images that takes a third of the time. */
function tableOf(fields: readonly string[], rows: readonly Record<string, string>[]): string {
  const headers = fields.map((field) => IMAGE_HEADERS[field] ?? "");
  const cells = rows.map((row) => fields.map((field) => row[field] ?? ""));
  return renderTable(headers, cells, WIDTH);
}
