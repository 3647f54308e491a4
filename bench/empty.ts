import { writeFileSync } from "node:fs";
import type { Site } from "./engine.ts";
import type { Command } from "./measure.ts";

/** A program that does nothing, compiled as ours is: what Bun costs before and behind any code of ours. */
export async function emptyProgram(site: Site): Promise<Command> {
  const source = `${site.folder}/empty.ts`;
  const outfile = `${site.folder}/empty`;
  writeFileSync(source, "export {};\n");
  const result = await Bun.build({
    entrypoints: [source],
    minify: true,
    bytecode: true,
    format: "esm",
    compile: {
      outfile,
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      jitPolicy: 1000,
    },
  });
  if (!result.success) throw new Error(result.logs.map(String).join("\n"));
  return { argv: [outfile] };
}
