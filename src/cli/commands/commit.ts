import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { readTag } from "../image-names.ts";
import { interruptible } from "../interrupt.ts";

/** `commit`: what a container has changed as a new image. */
export const command: Command = {
  name: "commit",
  summary: "Make an image of a container's changes",
  usage: "[OPTIONS] CONTAINER [IMAGE[:TAG]]",
  flags: [
    { name: "author", short: "a", kind: "string", value: "TEXT", help: "Who made it" },
    { name: "message", short: "m", kind: "string", value: "TEXT", help: "What was done" },
    {
      name: "change",
      short: "c",
      kind: "list",
      value: "INSTRUCTION",
      help: "Change how it runs, as in a Dockerfile (CMD, ENV, ...)",
    },
    {
      name: "pause",
      short: "p",
      kind: "bool",
      help: "Pause the container meanwhile (default; --pause=false)",
    },
    { name: "tar", kind: "bool", help: "All of its files as the plain archive image/IMAGE.tar instead" },
  ],
  args: { min: 1, max: 2 },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker commit c1 myimage", "mydocker commit -m 'with data' -c 'CMD [\"top\"]' c1 myimage:v2"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [container = "", image] = input.args;
  const paths = enginePaths();
  if (input.bool("tar")) {
    const taken = ["author", "message", "change"].find((flag) => input.has(flag));
    if (taken !== undefined)
      throw new UsageError(`--tar and --${taken} exclude each other: a plain archive has no place for it`);
    if (!image) throw new UsageError("--tar needs the name of an image");
    const { commitArchive } = await import("../../container/commit-archive.ts");
    await commitArchive(paths, container, image);
    print(1, `${image}\n`);
    return 0;
  }
  const { commitContainer } = await import("../../container/commit.ts");
  const tag = image ? readTag(image) : undefined;
  const id = await interruptible((signal) =>
    commitContainer(paths, container, {
      tag,
      message: input.text("message"),
      author: input.text("author"),
      changes: input.list("change"),
      pause: input.has("pause") ? input.bool("pause") : true,
      signal,
    }),
  );
  print(1, `${id}\n`);
  return 0;
}
