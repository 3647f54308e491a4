import { startStopped, UNATTACHED } from "../../container/restart.ts";
import { EngineError } from "../../linux/errors.ts";
import { stayAttached } from "../attached.ts";
import type { Command, Parsed } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";
import { tellCutLimits } from "../ulimits.ts";
import { tellWarning } from "../warning.ts";

/** `start`: stopped containers again, each on its own upper layer. */
export const command: Command = {
  name: "start",
  summary: "Start stopped containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: [
    {
      name: "attach",
      short: "a",
      kind: "bool",
      help: "Connect to the program's output and wait for its end",
    },
    { name: "interactive", short: "i", kind: "bool", help: "Connect stdin too" },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker start c1", "mydocker start -a c1"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const attached = input.bool("attach") || input.bool("interactive");
  const paths = enginePaths();
  if (!attached)
    return forEach(input.args, "serial", async (name) => {
      const running = await startStopped(paths, name, UNATTACHED, tellWarning);
      tellCutLimits(running?.container.record.limits.ulimits);
    });
  const [name = ""] = input.args;
  if (input.args.length > 1)
    throw new EngineError("cannot attach to several containers at once: name one", 1);
  const stdin = input.bool("interactive");
  const running = await startStopped(paths, name, { attached: true, stdin }, tellWarning);
  if (!running)
    throw new EngineError(`container ${name} runs already; 'mydocker logs -f ${name}' shows its output`, 1);
  tellCutLimits(running.container.record.limits.ulimits);
  return stayAttached(paths, running);
}
