import { imageStore } from "../../container/images.ts";
import { familiar } from "../../image/store.ts";
import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, O, open } from "../../linux/file.ts";
import { print } from "../../linux/process.ts";
import { isDirectory, statIfAny } from "../../linux/stat.ts";
import { isTerminal } from "../../linux/tty.ts";
import type { Command, Parsed } from "../command.ts";
import { absolute, enginePaths } from "../engine.ts";
import { interruptible } from "../interrupt.ts";

/** `load`: images from an archive. */
export const command: Command = {
  name: "load",
  summary: "Load images from an archive or an OCI layout",
  usage: "[OPTIONS]",
  flags: [
    {
      name: "input",
      short: "i",
      kind: "string",
      value: "FILE",
      help: "Read an archive (docker, OCI; also compressed), or the folder of an OCI layout; not stdin",
    },
    { name: "platform", kind: "string", value: "OS/ARCH", help: "Of an image for several the one for this" },
    { name: "quiet", short: "q", kind: "bool", help: "No progress" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker load < busybox.tar", "mydocker load -i images.tar.gz"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [{ loadImages }, { parsePlatform }, { openProgress }] = await Promise.all([
    import("../../image/archive/load.ts"),
    import("../../image/platform.ts"),
    import("../progress.ts"),
  ]);
  const paths = enginePaths();
  const path = input.text("input");
  const platform = input.text("platform");
  const progress = openProgress({ fd: 1, quiet: input.bool("quiet") || !isTerminal(1), kind: "pull" });
  const from = openInput(path);
  try {
    await interruptible((signal) =>
      loadImages(imageStore(paths), from, {
        ...(platform && { platform: parsePlatform(platform) }),
        progress,
        signal,
        loaded: ({ id, tags, taken }) => {
          progress.end();
          for (const { tag, id: old } of taken)
            print(
              1,
              `The image ${familiar(tag)} already exists, renaming the old one with ID ${old} to empty string\n`,
            );
          const lines = tags.map((tag) => `Loaded image: ${familiar(tag)}\n`);
          print(1, lines.length > 0 ? lines.join("") : `Loaded image ID: ${id}\n`);
        },
      }),
    );
  } finally {
    progress.end();
    if (typeof from === "number" && from !== 0) close(from);
  }
  return 0;
}

/** A descriptor, or the path of a folder. */
function openInput(path: string | undefined): number | string {
  if (path === undefined || path === "" || path === "-") {
    if (isTerminal(0)) throw new EngineError("requested load from stdin, but stdin is empty: use -i FILE", 1);
    return 0;
  }
  const file = absolute(path);
  const stat = statIfAny(file);
  if (stat !== undefined && isDirectory(stat)) return file;
  try {
    return open(file, O.RDONLY | O.NOCTTY);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "EACCES"))
      throw new EngineError(`open ${path}: no such file or directory`, 1, { cause: error });
    throw error;
  }
}
