import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { interruptible } from "../interrupt.ts";

/** `push`: an image to its registry. */
export const command: Command = {
  name: "push",
  summary: "Upload an image to a registry",
  usage: "[OPTIONS] NAME[:TAG]",
  flags: [
    { name: "all-tags", short: "a", kind: "bool", help: "All tags of the repository" },
    { name: "quiet", short: "q", kind: "bool", help: "No progress" },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  completes: "images",
  examples: ["mydocker push localhost:5000/myimage:v1"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [{ pushNamed }, { canonical }, { openProgress }] = await Promise.all([
    import("../../container/push.ts"),
    import("../../image/reference.ts"),
    import("../progress.ts"),
  ]);
  const [name = ""] = input.args;
  const quiet = input.bool("quiet");
  const progress = openProgress({ fd: 1, quiet, kind: "push" });
  try {
    const pushed = await interruptible((signal) =>
      pushNamed(enginePaths(), name, { all: input.bool("all-tags"), progress, signal }),
    );
    if (quiet) print(1, pushed.map((reference) => `${canonical(reference)}\n`).join(""));
  } finally {
    progress.end();
  }
  return 0;
}
