import { imageStore } from "../../container/images.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { interruptible } from "../interrupt.ts";

/** `pull`: an image from its registry. */
export const command: Command = {
  name: "pull",
  summary: "Download an image from a registry",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: [
    { name: "all-tags", short: "a", kind: "bool", help: "All tags of the repository" },
    { name: "platform", kind: "string", value: "OS/ARCH", help: "Of an image for several the one for this" },
    { name: "quiet", short: "q", kind: "bool", help: "No progress" },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  completes: "images",
  examples: ["mydocker pull debian:12", "mydocker pull --platform linux/arm64 localhost:5000/myimage"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [
    { pullAllTags, pullImage },
    { canonical, parseReference, repositoryOf },
    { platformOf },
    { openProgress },
  ] = await Promise.all([
    import("../../image/pull.ts"),
    import("../../image/reference.ts"),
    import("../platform.ts"),
    import("../progress.ts"),
  ]);
  const [text = ""] = input.args;
  const reference = parseReference(text);
  const hasTag = /:[^/]*$/.test(text) || reference.digest !== undefined;
  const all = input.bool("all-tags");
  if (all && hasTag) throw new UsageError("tag can't be used with --all-tags/-a", 1);
  const progress = openProgress({ fd: 1, quiet: input.bool("quiet"), kind: "pull" });
  if (!hasTag && !all) progress.line("Using default tag: latest");
  try {
    await interruptible<unknown>((signal) => {
      const options = { ...platformOf(input.text("platform")), progress, signal };
      const store = imageStore(enginePaths());
      return all ? pullAllTags(store, reference, options) : pullImage(store, reference, options);
    });
  } finally {
    progress.end();
  }
  print(1, `${all ? repositoryOf(reference) : canonical(reference)}\n`);
  return 0;
}
