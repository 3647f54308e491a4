import { isListedUnder, listImages } from "../../image/store.ts";
import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatRows } from "../format.ts";
import { IMAGE_HEADERS, imageRow } from "../image-listing.ts";

/** `images`: what `run` finds. */
export const command: Command = {
  name: "images",
  summary: "List images",
  usage: "[OPTIONS] [NAME]",
  flags: [
    { name: "quiet", short: "q", kind: "bool", help: "Only the ids" },
    { name: "no-trunc", kind: "bool", help: "Whole ids" },
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
  examples: ["mydocker images", "mydocker images --format '{{.Repository}} {{.Size}}'"],
  run: (input) => {
    const [wanted] = input.args;
    const rows = listImages(enginePaths().root)
      .filter(({ name }) => wanted === undefined || isListedUnder(wanted, name))
      .map((image) => imageRow(image, input.bool("no-trunc")));
    const all = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
    if (input.bool("quiet")) print(1, rows.map(({ ID }) => `${ID}\n`).join(""));
    else print(1, formatRows(input.text("format") ?? "table", IMAGE_HEADERS, rows, all));
    return 0;
  },
};
