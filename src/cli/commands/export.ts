import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { withOutput } from "../output-file.ts";

/** `export`: a container's root file system as a tar. */
export const command: Command = {
  name: "export",
  summary: "Write a container's root file system as a tar archive",
  usage: "[OPTIONS] CONTAINER",
  flags: [
    { name: "output", short: "o", kind: "string", value: "FILE", help: "Write to a file, not to stdout" },
  ],
  args: { min: 1, max: 1 },
  interspersed: true,
  completes: "containers",
  examples: ["mydocker export c1 > root.tar", "mydocker export -o root.tar c1"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { exportContainer } = await import("../../container/export.ts");
  const [container = ""] = input.args;
  const paths = enginePaths();
  await withOutput(input.text("output"), (fd) => exportContainer(paths, container, fd));
  return 0;
}
