import { pruneContainers } from "../../container/prune.ts";
import { print } from "../../linux/process.ts";
import { confirmed } from "../ask.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { pruneFilter } from "../prune-filter.ts";
import { humanSize } from "../units.ts";

/** `container prune`: containers that do not run. */
export const command: Command = {
  name: "container prune",
  summary: "Remove all stopped containers",
  usage: "[OPTIONS]",
  flags: [
    { name: "force", short: "f", kind: "bool", help: "Do not ask" },
    { name: "dry-run", kind: "bool", help: "Only tell what would be removed" },
    {
      name: "filter",
      kind: "list",
      value: "KEY=VALUE",
      help: "Only some: until=24h, label=KEY[=VALUE], label!=KEY",
    },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker container prune -f", "mydocker container prune --filter until=24h --dry-run"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const fits = pruneFilter(input.list("filter"));
  const dryRun = input.bool("dry-run");
  if (!dryRun && !input.bool("force") && !confirmed("This will remove all stopped containers.")) return 0;
  const { ids, reclaimed } = await pruneContainers(enginePaths(), fits, dryRun);
  if (ids.length > 0)
    print(1, `${dryRun ? "Would be deleted" : "Deleted"} Containers:\n${ids.join("\n")}\n\n`);
  print(1, `Total reclaimed ${dryRun ? "would be" : "space:"} ${humanSize(reclaimed)}\n`);
  return 0;
}
