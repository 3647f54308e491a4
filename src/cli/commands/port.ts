import { runningContainer } from "../../container/kill.ts";
import { attachmentOf } from "../../container/network.ts";
import { hostSide, portsOf } from "../../container/ports.ts";
import { EngineError } from "../../linux/errors.ts";
import { print } from "../../linux/process.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { parseExpose } from "../ports.ts";

/** `port`: where a container's ports are on the host. */
export const command: Command = {
  name: "port",
  summary: "Show which ports of the host lead to a container's",
  usage: "CONTAINER [PORT[/PROTO]]",
  flags: [],
  args: { min: 1, max: 2 },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker port web", "mydocker port web 80/tcp"],
  run,
};

function run(input: Parsed): number {
  const [reference = "", wanted] = input.args;
  const paths = enginePaths();
  const { record } = runningContainer(paths, reference);
  const ports = portsOf(attachmentOf(paths, record.id));
  if (wanted === undefined) {
    for (const [port, bound] of [...ports].sort(byPort))
      for (const one of bound) print(1, `${port} -> ${hostSide(one)}\n`);
    return 0;
  }
  const [key = ""] = parseExpose(wanted);
  const bound = ports.get(key);
  if (!bound) throw new EngineError(`no public port '${key}' published for ${reference}`, 1);
  for (const one of bound) print(1, `${hostSide(one)}\n`);
  return 0;
}

function byPort([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1);
}
