import { removeUnused, volumePaths } from "../../container/volumes.ts";
import { NoSuchVolume } from "../../volume/record.ts";
import { sweepVolumes } from "../../volume/remove.ts";
import type { Command, Parsed } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";

/** `volume rm`. */
export const command: Command = {
  name: "volume rm",
  summary: "Remove volumes that no container has, with all that is in them",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: [{ name: "force", short: "f", kind: "bool", help: "One that is not there is no error" }],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "volumes",
  examples: ["mydocker volume rm data"],
  run: async (input: Parsed) => {
    const paths = enginePaths();
    const code = await forEach(input.args, "serial", (name) => {
      try {
        removeUnused(paths, name);
      } catch (error) {
        if (!(error instanceof NoSuchVolume) || !input.bool("force")) throw error;
      }
    });
    sweepVolumes(volumePaths(paths));
    return code;
  },
};
