import { volumePaths } from "../../container/volumes.ts";
import { EngineError } from "../../linux/errors.ts";
import { print } from "../../linux/process.ts";
import { type HeldVolume, useVolume } from "../../volume/make.ts";
import { ANONYMOUS, checkVolumeName, newVolumeName } from "../../volume/record.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { splitLabel } from "../labels.ts";
import { checkDriver } from "../mount.ts";
import { tellWarning } from "../warning.ts";

/** `volume create`: a folder that outlives containers. */
export const command: Command = {
  name: "volume create",
  summary: "Make a volume",
  usage: "[OPTIONS] [VOLUME]",
  flags: [
    { name: "driver", short: "d", kind: "string", value: "DRIVER", help: "local, the only one" },
    { name: "label", kind: "list", value: "KEY=VALUE", help: "Put a label on it" },
    {
      name: "opt",
      short: "o",
      kind: "list",
      value: "KEY=VALUE",
      help: "There are none: a volume is a folder",
    },
    { name: "name", kind: "string", value: "NAME", help: "The same as VOLUME" },
  ],
  args: { min: 0, max: 1 },
  interspersed: true,
  examples: ["mydocker volume create data", "mydocker volume create --label for=web"],
  run,
};

function run(input: Parsed): number {
  const [given = ""] = input.args;
  const flag = input.text("name") ?? "";
  if (given !== "" && flag !== "")
    throw new UsageError(
      "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
      1,
    );
  const wanted = given || flag;
  const name = wanted || newVolumeName();
  checkVolumeName(name, 1);
  checkOptions(input);
  const labels = Object.fromEntries(input.list("label").map(splitLabel));
  const { made, record } = make(name, wanted === "" ? { [ANONYMOUS]: "", ...labels } : labels);
  // as Docker it is no error; but nobody is to rely on what was not done
  if (!made && Object.entries(labels).some(([key, value]) => record.labels[key] !== value))
    tellWarning(`volume ${name} is there already, and keeps its labels`);
  print(1, `${name}\n`);
  return 0;
}

function make(name: string, labels: Readonly<Record<string, string>>): HeldVolume {
  try {
    const held = useVolume(volumePaths(enginePaths()), { name, labels, durable: true });
    held.release();
    return held;
  } catch (error) {
    // 125 is for containers
    throw error instanceof EngineError ? new EngineError(error.message, 1) : error;
  }
}

function checkOptions(input: Parsed): void {
  checkDriver(input.text("driver") ?? "", (why) => new UsageError(why, 1));
  const [option] = input.list("opt");
  if (option !== undefined)
    throw new UsageError(
      `invalid option '${option}': volumes are folders of the host, without options: mount what you want yourself, and bind it with -v`,
      1,
    );
}
