import { releaseNetwork } from "../../container/network.ts";
import { ID } from "../../container/store.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";

/** What a monitor becomes whose container had ports, or a name in networks: it gives them back. It still holds the lock. */
export const command: Command = {
  name: "__settle",
  summary: "",
  usage: "ID",
  flags: [],
  args: { min: 1, max: 1 },
  interspersed: false,
  run: (input) => {
    const [id = ""] = input.args;
    if (!ID.test(id)) return 125;
    releaseNetwork(enginePaths(), id);
    return 0;
  },
};
