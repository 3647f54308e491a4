import { listImages } from "../../image/store.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatRows } from "../format.ts";
import { askedFor, imageFilter, type NamedImage } from "../image-filter.ts";
import { IMAGE_HEADERS, imageRow, namesOf } from "../image-listing.ts";

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
  const [wanted] = input.args;
  const asked = wanted === undefined ? () => true : askedFor(wanted);
  const fits = imageFilter(paths, input.list("filter"));
  const named: NamedImage[] = listImages(paths.root)
    .flatMap((image) => namesOf(image).map((name) => ({ image, name })))
    .filter((one) => asked(one) && fits(one));
  if (input.bool("tree")) {
    const { renderTree } = await import("../image-tree.ts");
    print(1, renderTree(paths, [...new Set(named.map(({ image }) => image))]));
    return 0;
  }
  const rows = named.map(({ image, name }) => imageRow(image, name, input.bool("no-trunc")));
  if (input.bool("quiet")) {
    print(1, [...new Set(rows.map(({ ID }) => ID))].map((id) => `${id}\n`).join(""));
    return 0;
  }
  const digest = input.bool("digests") ? "{{.Digest}}\t" : "";
  const usual = `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
  print(1, formatRows(input.text("format") || "table", IMAGE_HEADERS, rows, usual));
  return 0;
}
