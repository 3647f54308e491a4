import type { Paths } from "../container/paths.ts";
import { ID } from "../container/store.ts";
import type { Command } from "./command.ts";
import { enginePaths } from "./engine.ts";

/** What a monitor becomes for the work at a container's end that is JavaScript's: it still holds the container's lock. */
export function successor(name: string, work: (paths: Paths, id: string) => void): Command {
  return {
    name,
    summary: "",
    usage: "ID",
    flags: [],
    args: { min: 1, max: 1 },
    interspersed: false,
    run: (input) => {
      const [id = ""] = input.args;
      if (!ID.test(id)) return 125;
      work(enginePaths(), id);
      return 0;
    },
  };
}
