import { sweepLayers } from "../../container/images.ts";
import { collectGarbage, removeContainer } from "../../container/remove.ts";
import { NoSuchContainer } from "../../container/store.ts";
import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";

/** `rm`: containers with all that belongs to them. */
export const command: Command = {
  name: "rm",
  summary: "Remove containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: [
    { name: "force", short: "f", kind: "bool", help: "Kill running ones first; a missing one is no error" },
    { name: "volumes", short: "v", kind: "bool", help: "Their volumes without a name too" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker rm c1", "mydocker rm -f c1 c2"],
  run: async (input) => {
    const paths = enginePaths();
    const force = input.bool("force");
    const volumes = input.bool("volumes");
    const code = await forEach(input.args, "parallel", async (name) => {
      try {
        await removeContainer(paths, name, { force, volumes });
      } catch (error) {
        // as Docker: what is not there is as good as removed
        if (force && error instanceof NoSuchContainer) return error.message;
        throw error;
      }
      return undefined;
    });
    collectGarbage(paths);
    await sweepLayers(paths);
    return code;
  },
};
