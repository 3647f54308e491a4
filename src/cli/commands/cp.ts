import { copyFiles, copyIn, copyOut, type Side } from "../../container/copy.ts";
import { read } from "../../linux/file.ts";
import { print } from "../../linux/process.ts";
import { isTerminal } from "../../linux/tty.ts";
import type { Command, Parsed } from "../command.ts";
import { absolute, enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { humanSize } from "../units.ts";

/** `cp`: files from the host into a container, or out of one. */
export const command: Command = {
  name: "cp",
  summary: "Copy files between a container and the host",
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH",
  flags: [
    { name: "archive", short: "a", kind: "bool", help: "Keep the owners of what comes out of a container" },
    { name: "follow-link", short: "L", kind: "bool", help: "Copy what SRC_PATH leads to where it is a link" },
    { name: "quiet", short: "q", kind: "bool", help: "Do not tell how much was copied" },
  ],
  args: { min: 2, max: 2 },
  interspersed: true,
  completes: "containers",
  examples: [
    "mydocker cp c1:/etc/passwd .",
    "mydocker cp ./site/. web:/www",
    "mydocker cp c1:/var/log - | tar -t",
    "tar -c data | mydocker cp - c1:/srv",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [from = "", to = ""] = input.args;
  const [source, target] = [parseSide(from), parseSide(to)];
  if (source.container !== undefined && target.container !== undefined)
    throw new UsageError("copying between containers is not supported", 1);
  if (source.container === undefined && target.container === undefined)
    throw new UsageError("must specify at least one container source", 1);
  const paths = enginePaths();
  const options = { followLink: input.bool("follow-link"), archive: input.bool("archive") };
  if (to === "-") {
    if (isTerminal(1))
      throw new UsageError("cowardly refusing to write an archive to a terminal: redirect it", 1);
    await copyOut(paths, source, 1, options);
  } else if (from === "-") await copyIn(paths, standardInput(), target);
  else {
    const bytes = await copyFiles(paths, source, target, options);
    if (!input.bool("quiet") && isTerminal(1)) print(2, `Successfully copied ${humanSize(bytes)} to ${to}\n`);
  }
  return 0;
}

/** `CONTAINER:PATH`, or a path of the host: one that has a slash, or a dot, before the colon is that (as Docker's). */
function parseSide(text: string): Side {
  const colon = text.indexOf(":");
  const isHost = colon < 1 || /^[./]/.test(text) || text.slice(0, colon).includes("/");
  if (isHost) return { path: text === "-" ? text : keepEnd(text, absolute(text)) };
  const path = text.slice(colon + 1);
  if (path === "") throw new UsageError(`invalid path '${text}': there is nothing behind the colon`, 1);
  return { container: text.slice(0, colon), path: path.startsWith("/") ? path : `/${path}` };
}

/** A slash or `/.` at the end has a meaning, and is not to be lost. */
function keepEnd(given: string, whole: string): string {
  const end = /(?:^|\/)(\.?)$/.exec(given);
  return end && given !== "" ? `${whole.replace(/\/+$/, "")}/${end[1]}` : whole;
}

async function* standardInput(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(1 << 16);
    const got = read(0, buffer);
    if (got === 0) return;
    yield buffer.subarray(0, got);
  }
}
