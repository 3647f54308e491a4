import { commitContainer } from "../../container/commit.ts";
import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";

/** `commit`: a container's root as a new image. */
export const command: Command = {
  name: "commit",
  summary: "Make an image of a container",
  usage: "CONTAINER IMAGE",
  flags: [],
  args: { min: 2, max: 2 },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker commit c1 myimage"],
  run: async (input) => {
    const [container = "", image = ""] = input.args;
    print(1, `${await commitContainer(enginePaths(), container, image)}\n`);
    return 0;
  },
};
