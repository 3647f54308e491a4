import { settleChange } from "../../container/change.ts";
import { inspectContainer } from "../../container/inspect.ts";
import { networkPaths, type Paths } from "../../container/paths.ts";
import { findId, presentState, readContainer } from "../../container/store.ts";
import { EngineError } from "../../linux/errors.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { describeError, UsageError } from "../errors.ts";
import { renderTemplate } from "../template.ts";

/** `inspect`: all that is known of containers and images, in Docker's form. */
export const command: Command = {
  name: "inspect",
  summary: "Show all that is known of containers or images, as JSON",
  usage: "[OPTIONS] NAME [NAME...]",
  flags: [
    {
      name: "format",
      short: "f",
      kind: "string",
      value: "TEMPLATE",
      help: "json, or a Go template such as {{json .GraphDriver}}",
    },
    { name: "type", kind: "string", value: "TYPE", help: "Only container, image, network or volume" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: [
    "mydocker inspect c1",
    "mydocker inspect -f '{{.State.Pid}}' c1",
    "mydocker inspect -f '{{json .GraphDriver}}' c1",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const paths = enginePaths();
  const format = input.text("format");
  const type = input.text("type");
  if (type !== undefined && !["", "container", "image", "network", "volume"].includes(type))
    throw new UsageError(`unknown type ${type}: it is container, image, network or volume`, 1);
  const found: object[] = [];
  let failed = 0;
  for (const name of input.args) {
    try {
      found.push(await inspectOne(paths, name, type || undefined));
    } catch (error) {
      const { message, exitCode } = describeError(error);
      print(2, `mydocker: ${message}\n`);
      failed = exitCode;
    }
  }
  if (format === undefined) print(1, `${JSON.stringify(found, null, 4)}\n`);
  else
    for (const one of found)
      print(1, `${format === "json" ? JSON.stringify(one) : renderTemplate(format, one)}\n`);
  return failed;
}

async function inspectOneNetwork(paths: Paths, name: string): Promise<object> {
  const { inspectNetwork, pickNetwork } = await import("../network-view.ts");
  const networks = networkPaths(paths);
  return inspectNetwork(networks, pickNetwork(networks, name));
}

async function inspectOneVolume(paths: Paths, name: string): Promise<object> {
  const { inspectVolume } = await import("../volume-view.ts");
  const { findVolume, VolumePaths } = await import("../../volume/record.ts");
  const volumes = new VolumePaths(paths.root);
  return inspectVolume(volumes, findVolume(volumes, name));
}

async function inspectOne(paths: Paths, name: string, type: string | undefined): Promise<object> {
  if (type === "network") return inspectOneNetwork(paths, name);
  if (type === "volume") return inspectOneVolume(paths, name);
  if (type !== "image") {
    try {
      const id = findId(paths, name);
      settleChange(paths, id);
      const container = readContainer(paths, id);
      return inspectContainer(paths, container, presentState(paths, container.record));
    } catch (error) {
      if (type === "container" || !(error instanceof EngineError) || !error.message.startsWith("No such"))
        throw error;
    }
  }
  const { inspectImage } = await import("../image-inspect.ts");
  const image = inspectImage(paths, name);
  if (image) return image;
  if (type === undefined)
    for (const look of [inspectOneNetwork, inspectOneVolume]) {
      try {
        return await look(paths, name);
      } catch (error) {
        if (!(error instanceof EngineError) || !/not found|no such volume/.test(error.message)) throw error;
      }
    }
  throw new EngineError(`No such ${type === "image" ? "image" : "container or image"}: ${name}`, 1);
}
