import { collectGarbage } from "../../container/remove.ts";
import { volumeSize } from "../../container/volume-size.ts";
import { removeIfUnused, volumePaths, volumesInUse } from "../../container/volumes.ts";
import { print } from "../../linux/process.ts";
import { ANONYMOUS, listVolumes } from "../../volume/record.ts";
import { sweepVolumes } from "../../volume/remove.ts";
import { confirmed } from "../ask.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { humanSize } from "../units.ts";
import { pruneFilter } from "../volume-filter.ts";

/** `volume prune`. */
export const command: Command = {
  name: "volume prune",
  summary: "Remove volumes that no container has",
  usage: "[OPTIONS]",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Those with a name too" },
    { name: "force", short: "f", kind: "bool", help: "Do not ask" },
    { name: "filter", kind: "list", value: "KEY=VALUE", help: "Only some: label=KEY[=VALUE], label!=KEY" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker volume prune", "mydocker volume prune -af --filter label!=keep"],
  run,
};

function run(input: Parsed): number {
  const paths = enginePaths();
  const filter = pruneFilter(input.list("filter"));
  const all = input.bool("all") || filter.all;
  const which = all ? "all" : "anonymous";
  const warning = `This will remove ${which} local volumes not used by at least one container.`;
  if (!input.bool("force") && !confirmed(warning)) return 0;
  // a container that was only half removed has none any more
  collectGarbage(paths);
  const used = volumesInUse(paths);
  const removed: string[] = [];
  let freed = 0;
  for (const volume of listVolumes(volumePaths(paths))) {
    const { name, labels } = volume;
    if (used.has(name) || !filter.fits(volume) || !(all || Object.hasOwn(labels, ANONYMOUS))) continue;
    const size = volumeSize(paths, name);
    // somebody may have taken it meanwhile
    if (removeIfUnused(paths, [name]).length === 0) continue;
    removed.push(name);
    freed += size;
  }
  sweepVolumes(volumePaths(paths));
  if (removed.length > 0) print(1, `Deleted Volumes:\n${removed.join("\n")}\n\n`);
  print(1, `Total reclaimed space: ${humanSize(freed)}\n`);
  return 0;
}
