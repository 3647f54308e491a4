import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatRows } from "../format.ts";
import { humanSize } from "../units.ts";

const HEADERS = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
};

/** `system df`: what takes how much room. */
export const command: Command = {
  name: "system df",
  summary: "Show how much room images, containers and volumes take",
  usage: "[OPTIONS]",
  flags: [
    { name: "verbose", short: "v", kind: "bool", help: "Each image, container and volume" },
    { name: "format", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker system df", "mydocker system df -v"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { diskUse } = await import("../../container/disk-use.ts");
  const use = await diskUse(enginePaths());
  if (input.bool("verbose")) {
    const { renderDiskUse } = await import("../disk-use.ts");
    print(1, renderDiskUse(use));
    return 0;
  }
  const rows = [
    { Type: "Images", ...use.images },
    { Type: "Containers", ...use.containers },
    { Type: "Local Volumes", ...use.volumes },
    { Type: "Stored layers", ...use.blobs },
  ].map(({ Type, total, active, size, reclaimable }) => ({
    Type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable:
      size === 0 ? humanSize(0) : `${humanSize(reclaimable)} (${Math.floor((100 * reclaimable) / size)}%)`,
  }));
  print(1, formatRows(input.text("format") || "table", HEADERS, rows));
  return 0;
}
