import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { renderTemplate } from "../template.ts";
import { VERSION } from "../version.ts";

/** `version`: of the program and what it stands on. */
export const command: Command = {
  name: "version",
  summary: "Show the version",
  usage: "[OPTIONS]",
  flags: [
    { name: "format", short: "f", kind: "string", value: "TEMPLATE", help: "Format with a Go template" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  run: (input) => {
    const format = input.text("format");
    const client = {
      Version: VERSION,
      Os: "linux",
      Arch: process.arch === "x64" ? "amd64" : process.arch,
      Bun: Bun.version,
    };
    if (format === undefined)
      print(1, `mydocker version ${VERSION} (linux/${client.Arch}, Bun ${Bun.version})\n`);
    else
      print(
        1,
        `${format === "json" ? JSON.stringify({ Client: client }) : renderTemplate(format, { Client: client, ...client })}\n`,
      );
    return 0;
  },
};
