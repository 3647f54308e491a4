import { imageUse } from "../../container/images.ts";
import { print } from "../../linux/process.ts";
import { confirmed } from "../ask.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { imageFilter } from "../image-filter.ts";
import { namesOf } from "../image-listing.ts";
import { humanSize } from "../units.ts";

/** `image prune`: images that are of no use. */
export const command: Command = {
  name: "image prune",
  summary: "Remove images that are not used",
  usage: "[OPTIONS]",
  flags: [
    {
      name: "all",
      short: "a",
      kind: "bool",
      help: "All that no container uses, not only those without a name",
    },
    { name: "force", short: "f", kind: "bool", help: "Do not ask" },
    { name: "dry-run", kind: "bool", help: "Only tell what would be removed" },
    { name: "filter", kind: "list", value: "KEY=VALUE", help: "Only some: until=24h, label=KEY[=VALUE]" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker image prune", "mydocker image prune -a --filter until=240h --dry-run"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { pruneImages } = await import("../../image/prune.ts");
  const paths = enginePaths();
  const all = input.bool("all");
  const dryRun = input.bool("dry-run");
  const fits = imageFilter(paths, input.list("filter"));
  const what = all ? "all images without at least one container associated to them" : "all dangling images";
  const warning = `This will remove ${what}.`;
  if (!dryRun && !input.bool("force") && !confirmed(warning)) return 0;
  const { said, reclaimed } = await pruneImages(paths.root, paths.run, imageUse(paths, false), {
    all,
    dryRun,
    fits: (image) => namesOf(image).some((name) => fits({ image, name })),
  });
  if (said.length > 0) print(1, `${dryRun ? "Would be deleted" : "Deleted"} Images:\n${said.join("\n")}\n\n`);
  print(1, `Total reclaimed ${dryRun ? "would be" : "space:"} ${humanSize(reclaimed)}\n`);
  return 0;
}
