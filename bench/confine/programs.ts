import { chmodSync, mkdirSync } from "node:fs";
import type { Site } from "../engine.ts";
import { output } from "../measure.ts";

/** Where the programs are in a container. */
export const INSIDE = "/probe";

/** Compiles the C programs beside this file for any root file system, into one folder of the site: what to mount, as a flag. */
export function compilePrograms(site: Site, names: readonly string[]): readonly string[] {
  const folder = `${site.folder}/probe`;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  for (const name of names) {
    const flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-mno-red-zone", "-static"];
    output({ argv: ["gcc", ...flags, `${import.meta.dir}/${name}.c`, "-o", `${folder}/${name}`] });
  }
  return ["-v", `${folder}:${INSIDE}:ro`];
}
