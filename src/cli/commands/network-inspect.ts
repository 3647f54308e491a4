import { networkPaths } from "../../container/paths.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { describeError } from "../errors.ts";
import { inspectNetwork, pickNetwork } from "../network-view.ts";
import { tellError } from "../tell.ts";
import { renderTemplate } from "../template.ts";

/** `network inspect`. */
export const command: Command = {
  name: "network inspect",
  summary: "Show all that is known of networks, as JSON",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: [
    { name: "format", short: "f", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
    { name: "verbose", short: "v", kind: "bool", help: "As without: there is no more to tell" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  examples: ["mydocker network inspect bridge", "mydocker network inspect -f '{{json .IPAM.Config}}' web"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const paths = networkPaths(enginePaths());
  const format = input.text("format");
  const found: object[] = [];
  let failed = 0;
  for (const reference of input.args) {
    try {
      found.push(inspectNetwork(paths, pickNetwork(paths, reference)));
    } catch (error) {
      failed = 1;
      await tellError(describeError(error).message);
    }
  }
  if (format === undefined) print(1, `${JSON.stringify(found, null, 4)}\n`);
  else
    for (const one of found)
      print(1, `${format === "json" ? JSON.stringify(one) : renderTemplate(format, one)}\n`);
  return failed;
}
