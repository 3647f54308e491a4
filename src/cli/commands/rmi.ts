import { imageUse } from "../../container/images.ts";
import { removeImage } from "../../image/store.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { describeError } from "../errors.ts";

/** `rmi`: images that no container uses. */
export const command: Command = {
  name: "rmi",
  summary: "Remove images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: [
    { name: "force", short: "f", kind: "bool", help: "Also where containers use it; they keep their layers" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "images",
  examples: ["mydocker rmi myimage"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const paths = enginePaths();
  let failed = 0;
  for (const name of input.args) {
    try {
      const said = await removeImage(paths.root, paths.run, name, imageUse(paths, input.bool("force")));
      print(1, said.map((line) => `${line}\n`).join(""));
    } catch (error) {
      const { message } = describeError(error);
      // as Docker: what is not there is no failure of `rmi -f`
      if (!(input.bool("force") && message.startsWith("No such image"))) failed = 1;
      print(2, `mydocker: ${message}\n`);
    }
  }
  return failed;
}
