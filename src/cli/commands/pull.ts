import { imageStore } from "../../container/images.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { interruptible } from "../interrupt.ts";

/** `pull`: an image from its registry. */
export const command: Command = {
  name: "pull",
  summary: "Download an image from a registry",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: [
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
  const [{ pullImage }, { canonical, parseReference }, { platformOf }, { openProgress }] = await Promise.all([
    import("../../image/pull.ts"),
    import("../../image/reference.ts"),
    import("../platform.ts"),
    import("../progress.ts"),
  ]);
  const [text = ""] = input.args;
  const reference = parseReference(text);
  const progress = openProgress({ fd: 1, quiet: input.bool("quiet"), kind: "pull" });
  if (!/:[^/]*$/.test(text) && reference.digest === undefined) progress.line("Using default tag: latest");
  try {
    await interruptible((signal) =>
      pullImage(imageStore(enginePaths()), reference, {
        ...platformOf(input.text("platform")),
        progress,
        signal,
      }),
    );
  } finally {
    progress.end();
  }
  print(1, `${canonical(reference)}\n`);
  return 0;
}
