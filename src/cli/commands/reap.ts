import { dispose } from "../../container/remove.ts";
import { ID } from "../../container/store.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";

/** What a monitor becomes when its client is gone: it removes the container, whose lock it still holds. */
export const command: Command = {
  name: "__reap",
  summary: "",
  usage: "ID",
  flags: [],
  args: { min: 1, max: 1 },
  interspersed: false,
  run: (input) => {
    const [id = ""] = input.args;
    if (!ID.test(id)) return 125;
    dispose(enginePaths(), id);
    return 0;
  },
};
