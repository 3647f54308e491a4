import { volumePaths } from "../../container/volumes.ts";
import { findVolume } from "../../volume/record.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { inspectEach } from "../inspect-each.ts";
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

function run(input: Parsed): Promise<number> {
  const paths = volumePaths(enginePaths());
  return inspectEach(input, (name) => inspectVolume(paths, findVolume(paths, name)));
}
