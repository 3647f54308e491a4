import { imageStore } from "../../container/images.ts";
import { resolveImage, shortId } from "../../image/store.ts";
import { print } from "../../linux/process.ts";
import { localTime } from "../../linux/time.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatRows } from "../format.ts";
import { humanDuration, humanSize } from "../units.ts";

const HEADERS = {
  ID: "IMAGE",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};
/** Docker cuts the third column there. */
const WIDTH = 45;

/** `history`: the steps by which an image was made. */
export const command: Command = {
  name: "history",
  summary: "Show how an image was made, the last step first",
  usage: "[OPTIONS] IMAGE",
  flags: [
    { name: "human", short: "H", kind: "bool", help: "Sizes and times for people (default; --human=false)" },
    { name: "no-trunc", kind: "bool", help: "Whole ids and commands" },
    { name: "quiet", short: "q", kind: "bool", help: "Only the ids" },
    { name: "format", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  completes: "images",
  examples: ["mydocker history busybox"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { openStored } = await import("../../image/stored.ts");
  const [reference = ""] = input.args;
  const { root, run: runtime, inUse } = imageStore(enginePaths());
  // of an archive the id is that of the archive, as in all lists
  const { id } = await resolveImage(root, runtime, reference, { inUse });
  const image = await openStored(root, reference);
  image.release();
  const human = input.has("human") ? input.bool("human") : true;
  const whole = input.bool("no-trunc");
  const { history } = image.source.document;
  // sizes stand with the layers, top first; steps without a layer have none
  const sizes = [...(image.entry.sizes ?? [image.entry.size])];
  const rows = history.toReversed().map((step, i) => {
    const size = step.empty_layer === true ? 0 : (sizes.shift() ?? 0);
    const created = Date.parse(step.created ?? "");
    const by = (step.created_by ?? "").replace(/[\t\r\n]+/g, " ");
    return {
      ID: i > 0 ? "<missing>" : whole ? id : shortId(id),
      CreatedAt: Number.isNaN(created) ? "" : human ? localTime(created) : (step.created ?? ""),
      CreatedSince: Number.isNaN(created) ? "N/A" : `${humanDuration(Date.now() - created)} ago`,
      CreatedBy: whole || by.length <= WIDTH ? by : `${by.slice(0, WIDTH - 1)}…`,
      Size: human ? humanSize(size, 3) : String(size),
      Comment: (step.comment ?? "").replace(/[\t\r\n]+/g, " "),
    };
  });
  if (input.bool("quiet")) print(1, rows.map(({ ID }) => `${ID}\n`).join(""));
  else {
    const time = human ? "{{.CreatedSince}}" : "{{.CreatedAt}}";
    const usual = `{{.ID}}\t${time}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`;
    print(1, formatRows(input.text("format") || "table", HEADERS, rows, usual));
  }
  return 0;
}
