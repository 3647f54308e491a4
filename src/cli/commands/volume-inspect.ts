import { volumePaths } from "../../container/volumes.ts";
import { print } from "../../linux/process.ts";
import { findVolume } from "../../volume/record.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { describeError } from "../errors.ts";
import { tellError } from "../tell.ts";
import { renderTemplate } from "../template.ts";
import { inspectVolume } from "../volume-view.ts";

/** `volume inspect`. */
export const command: Command = {
  name: "volume inspect",
  summary: "Show all that is known of volumes, as JSON",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: [{ name: "format", short: "f", kind: "string", value: "TEMPLATE", help: "json, or a Go template" }],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "volumes",
  examples: ["mydocker volume inspect data", "mydocker volume inspect -f '{{.Mountpoint}}' data"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const paths = volumePaths(enginePaths());
  const format = input.text("format");
  const found: object[] = [];
  let failed = 0;
  for (const name of input.args) {
    try {
      found.push(inspectVolume(paths, findVolume(paths, name)));
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
