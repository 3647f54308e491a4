import { createContainer } from "../../container/create.ts";
import { print } from "../../linux/process.ts";
import { withCidFile } from "../cidfile.ts";
import type { Command } from "../command.ts";
import { creationFlags, readCreation } from "../creation.ts";
import { enginePaths } from "../engine.ts";

/** `create`: a new container that `start` will run. */
export const command: Command = {
  name: "create",
  summary: "Create a container without starting it",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: creationFlags,
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "images",
  examples: ["mydocker create --name c1 busybox top", "mydocker start -a c1"],
  run: async (input) => {
    const options = await readCreation(input);
    const id = await withCidFile(
      input,
      () => createContainer(enginePaths(), options),
      (made) => made,
    );
    print(1, `${id}\n`);
    return 0;
  },
};
