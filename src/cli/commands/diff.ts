import { containerChanges } from "../../container/diff.ts";
import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";

/** `diff`: what a container has changed of its image's files. */
export const command: Command = {
  name: "diff",
  summary: "Show what a container has added (A), changed (C) and deleted (D)",
  usage: "CONTAINER",
  flags: [],
  args: { min: 1, max: 1 },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker diff c1"],
  run: async (input) => {
    const changes = await containerChanges(enginePaths(), input.args[0] ?? "");
    print(1, changes.map(({ kind, path }) => `${kind} ${path}\n`).join(""));
    return 0;
  },
};
