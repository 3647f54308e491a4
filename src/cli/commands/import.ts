import { imageStore } from "../../container/images.ts";
import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { close, O, open, read } from "../../linux/file.ts";
import { print } from "../../linux/process.ts";
import { fstat, isDirectory } from "../../linux/stat.ts";
import { isTerminal } from "../../linux/tty.ts";
import type { Command, Parsed } from "../command.ts";
import { absolute, enginePaths } from "../engine.ts";
import { readTag } from "../image-names.ts";

/** `import`: the archive of a root file system as an image. */
export const command: Command = {
  name: "import",
  summary: "Make an image of the archive of a root file system",
  usage: "[OPTIONS] FILE|URL|- [IMAGE[:TAG]]",
  flags: [
    {
      name: "change",
      short: "c",
      kind: "list",
      value: "INSTRUCTION",
      help: "How it runs, as in a Dockerfile (CMD, ENV, ...)",
    },
    { name: "message", short: "m", kind: "string", value: "TEXT", help: "What it is" },
    { name: "platform", kind: "string", value: "OS/ARCH", help: "What it was built for" },
  ],
  args: { min: 1, max: 2 },
  interspersed: true,
  examples: [
    "mydocker import root.tar.gz myimage",
    "mydocker export c1 | mydocker import -c 'CMD sh' - myimage:v1",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [from = "", image] = input.args;
  const platform = input.text("platform");
  const [{ importImage }, { parsePlatform }] = await Promise.all([
    import("../../image/import.ts"),
    import("../../image/platform.ts"),
  ]);
  const id = await importImage(imageStore(enginePaths()), piecesOf(from), {
    tag: image ? readTag(image) : undefined,
    changes: input.list("change"),
    message: input.text("message"),
    platform: platform ? parsePlatform(platform) : undefined,
    origin: from,
  });
  print(1, `${id}\n`);
  return 0;
}

const PIECE = 1 << 20;

async function* piecesOf(from: string): AsyncGenerator<Uint8Array> {
  if (/^https?:\/\//.test(from)) return yield* download(from);
  const fd = openInput(from);
  try {
    const buffer = new Uint8Array(PIECE);
    for (let got = read(fd, buffer); got > 0; got = read(fd, buffer)) yield buffer.subarray(0, got);
  } finally {
    if (fd !== 0) close(fd);
  }
}

function openInput(from: string): number {
  if (from === "-") {
    if (isTerminal(0)) throw new EngineError("cannot import from a terminal: redirect stdin", 1);
    return 0;
  }
  try {
    const fd = open(absolute(from), O.RDONLY | O.NOCTTY);
    if (!isDirectory(fstat(fd))) return fd;
    close(fd);
    throw new EngineError(
      `cannot import ${from}: it is a folder: 'tar -C ${from} -c . | mydocker import -' takes it`,
      1,
    );
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "EACCES"))
      throw new EngineError(`open ${from}: no such file or directory`, 1, { cause: error });
    throw error;
  }
}

async function* download(url: string): AsyncGenerator<Uint8Array> {
  const answer = await fetch(url).catch((error: unknown) => {
    throw new EngineError(`cannot download ${url}: ${error instanceof Error ? error.message : error}`, 1);
  });
  if (!answer.ok || answer.body === null)
    throw new EngineError(
      `cannot download ${url}: the server answers ${answer.status} ${answer.statusText}`,
      1,
    );
  for await (const piece of answer.body) yield piece;
}
