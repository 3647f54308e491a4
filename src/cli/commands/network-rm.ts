import { callerOf, membersOf } from "../../container/network.ts";
import { networkPaths } from "../../container/paths.ts";
import { removeNetwork } from "../../network/make.ts";
import { NoSuchNetwork } from "../../network/record.ts";
import type { Command, Parsed } from "../command.ts";
import { forEach } from "../each.ts";
import { enginePaths } from "../engine.ts";
import { tellWarning } from "../warning.ts";

/** `network rm`. */
export const command: Command = {
  name: "network rm",
  summary: "Remove networks that nobody is in",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: [{ name: "force", short: "f", kind: "bool", help: "One that is not there is no error" }],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: true,
  examples: ["mydocker network rm web", "mydocker network remove testbr"],
  run: (input: Parsed) => {
    const paths = enginePaths();
    return forEach(input.args, "serial", (name) => {
      try {
        removeNetwork(
          networkPaths(paths),
          name,
          (network) => membersOf(paths, network),
          callerOf(paths, tellWarning),
        );
      } catch (error) {
        if (!(error instanceof NoSuchNetwork) || !input.bool("force")) throw error;
      }
    });
  },
};
