import { imageStore } from "../../container/images.ts";
import { tagImage } from "../../image/tag.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { readTag } from "../image-names.ts";

/** `tag`: one more name for an image. */
export const command: Command = {
  name: "tag",
  summary: "Give an image one more name",
  usage: "IMAGE NEW[:TAG]",
  flags: [],
  args: { min: 2, max: 2 },
  interspersed: true,
  completes: "images",
  examples: ["mydocker tag busybox localhost:5000/busybox:v1"],
  run: async (input) => {
    const [image = "", name = ""] = input.args;
    await tagImage(imageStore(enginePaths()), image, readTag(name));
    return 0;
  },
};
