import { attach } from "../../container/attach.ts";
import { execInContainer } from "../../container/exec.ts";
import { isTerminal } from "../../linux/tty.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { readEnvironment } from "../environment.ts";
import { UsageError } from "../errors.ts";
import { tellCutLimits } from "../ulimits.ts";

/** `exec`: another program in a running container. */
export const command: Command = {
  name: "exec",
  summary: "Run a command in a running container",
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags: [
    { name: "detach", short: "d", kind: "bool", help: "Run in the background" },
    { name: "interactive", short: "i", kind: "bool", help: "Keep stdin open" },
    { name: "tty", short: "t", kind: "bool", help: "Give the command a terminal" },
    {
      name: "env",
      short: "e",
      kind: "list",
      value: "KEY=VALUE",
      help: "Set a variable (KEY alone: the caller's value)",
    },
    { name: "env-file", kind: "list", value: "FILE", help: "Read variables from a file" },
    { name: "workdir", short: "w", kind: "string", value: "DIR", help: "Working folder" },
    { name: "privileged", kind: "bool", help: "With all capabilities" },
    { name: "user", short: "u", kind: "string", value: "USER[:GROUP]", help: "Run as this user" },
  ],
  args: { min: 2, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "containers",
  examples: [
    "mydocker exec c1 ps",
    "mydocker exec -it c1 sh",
    "mydocker exec -e A=1 -w /tmp -u nobody c1 env",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const [container = "", ...args] = input.args;
  const terminal = input.bool("tty");
  const stdin = input.bool("interactive");
  const detach = input.bool("detach");
  if (terminal && stdin && !detach && !isTerminal(0))
    throw new UsageError("the input device is not a TTY: leave -t out");
  const workdir = input.text("workdir");
  const user = input.text("user");
  const { shim, attachment, record } = execInContainer(enginePaths(), container, {
    args,
    env: readEnvironment(input),
    terminal,
    stdin,
    detach,
    privileged: input.bool("privileged"),
    ...(workdir !== undefined && { workdir }),
    ...(user !== undefined && { user }),
  });
  tellCutLimits(record.limits.ulimits);
  if (detach) return 0;
  const end = await attach(shim, attachment);
  return end.exitCode ?? 0;
}
