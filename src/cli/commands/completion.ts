import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { completionScript } from "../completion.ts";
import { UsageError } from "../errors.ts";

/** `completion`: a script for the shell. */
export const command: Command = {
  name: "completion",
  summary: "Print a completion script for bash, zsh or fish",
  usage: "bash|zsh|fish",
  flags: [],
  args: { min: 1, max: 1 },
  interspersed: true,
  examples: ["mydocker completion bash > /etc/bash_completion.d/mydocker"],
  run: async (input, registry) => {
    const [shell = ""] = input.args;
    if (shell !== "bash" && shell !== "zsh" && shell !== "fish")
      throw new UsageError(`no completion for ${shell}: there is one for bash, zsh and fish`);
    print(1, completionScript(shell, await registry.all()));
    return 0;
  },
};
