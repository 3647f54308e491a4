import { runContainer } from "../../container/create.ts";
import { print } from "../../linux/process.ts";
import { isTerminal } from "../../linux/tty.ts";
import { stayAttached } from "../attached.ts";
import { withCidFile } from "../cidfile.ts";
import type { Command, Parsed } from "../command.ts";
import { creationFlags, readCreation } from "../creation.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { tellCutLimits } from "../ulimits.ts";

/** `run`: a new container from an image, or from a folder. */
export const command: Command = {
  name: "run",
  summary: "Create a container and run a program in it",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: [
    { name: "detach", short: "d", kind: "bool", help: "Run in the background and print the container's id" },
    ...creationFlags,
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "images",
  examples: [
    "mydocker run -it busybox sh",
    "mydocker run -d -name c1 busybox top",
    "mydocker run --rm -m 64m -v /srv/data:/data:ro busybox ls /data",
    "mydocker run --rm --rootfs / uname -a",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const detach = input.bool("detach");
  const options = await readCreation(input);
  if (options.terminal && options.stdin && detach)
    throw new UsageError("-it and -d exclude each other: a terminal needs somebody in front of it");
  if (options.terminal && options.stdin && !isTerminal(0))
    throw new UsageError("the input device is not a TTY: leave -t out");
  const paths = enginePaths();
  const running = await withCidFile(
    input,
    () => runContainer(paths, options, detach),
    ({ container }) => container.record.id,
  );
  tellCutLimits(options.limits.ulimits);
  if (detach) {
    print(1, `${running.container.record.id}\n`);
    return 0;
  }
  return stayAttached(paths, running);
}
