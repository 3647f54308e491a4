import { EngineError } from "../linux/errors.ts";
import { mkdirAll } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import type { Volume } from "./record.ts";

/** Makes the host's folders of -v where there is nothing, as Docker does; those of --mount must be there. */
export function makeBindSources(volumes: readonly Volume[]): void {
  for (const { source, name, mustExist } of volumes) {
    if (name !== undefined || exists(source)) continue;
    if (mustExist)
      throw new EngineError(
        `invalid mount config for type "bind": bind source path does not exist: ${source}: make it first, or use -v`,
      );
    mkdirAll(source, 0o755);
  }
}
