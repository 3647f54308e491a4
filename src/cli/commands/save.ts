import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { withOutput } from "../output-file.ts";

/** `save`: images as an archive. */
export const command: Command = {
  name: "save",
  summary: "Write images as an archive (docker-archive and OCI layout in one)",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: [
    { name: "output", short: "o", kind: "string", value: "FILE", help: "Write to a file, not to stdout" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "images",
  examples: ["mydocker save busybox > busybox.tar", "mydocker save -o both.tar myimage:v1 myimage:v2"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { saveNamed } = await import("../../container/save.ts");
  const paths = enginePaths();
  await withOutput(input.text("output"), (fd) => saveNamed(paths, input.args, fd));
  return 0;
}
