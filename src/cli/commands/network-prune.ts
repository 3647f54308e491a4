import { callerOf, membersOf } from "../../container/network.ts";
import { networkPaths } from "../../container/paths.ts";
import { print } from "../../linux/process.ts";
import { removeNetwork } from "../../network/make.ts";
import { listNetworks, PREDEFINED } from "../../network/record.ts";
import { confirmed } from "../ask.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { pruneFilter } from "../prune-filter.ts";
import { tellWarning } from "../warning.ts";

/** `network prune`. */
export const command: Command = {
  name: "network prune",
  summary: "Remove all networks that no container is in",
  usage: "[OPTIONS]",
  flags: [
    { name: "force", short: "f", kind: "bool", help: "Do not ask" },
    {
      name: "filter",
      kind: "list",
      value: "KEY=VALUE",
      help: "Only some: until=24h, label=KEY[=VALUE], label!=KEY",
    },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker network prune -f"],
  run,
};

const WARNING = "This will remove all custom networks not used by at least one container.";

function run(input: Parsed): number {
  const paths = enginePaths();
  const network = networkPaths(paths);
  const fits = pruneFilter(input.list("filter"));
  if (!input.bool("force") && !confirmed(WARNING)) return 0;
  const removed: string[] = [];
  for (const record of listNetworks(network)) {
    if (PREDEFINED.has(record.name) || !fits(record) || membersOf(paths, record).length > 0) continue;
    removeNetwork(network, record.id, (one) => membersOf(paths, one), callerOf(paths, tellWarning));
    removed.push(record.name);
  }
  if (removed.length > 0) print(1, `Deleted Networks:\n${removed.join("\n")}\n`);
  return 0;
}
