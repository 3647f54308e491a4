import { HUB } from "../../image/full-name.ts";
import { print } from "../../linux/process.ts";
import type { Command } from "../command.ts";
import { registryOf } from "../registry-name.ts";

/** `logout`: forgets the credentials for a registry. */
export const command: Command = {
  name: "logout",
  summary: "Log out from a registry",
  usage: "[SERVER]",
  flags: [],
  args: { min: 0, max: 1 },
  interspersed: true,
  examples: ["mydocker logout localhost:5000"],
  run: async (input) => {
    const server = registryOf(input.args[0] ?? HUB);
    const { logout } = await import("../../image/registry/login.ts");
    const was = await logout(server);
    print(1, was ? `Removing login credentials for ${server}\n` : `Not logged in to ${server}\n`);
    return 0;
  },
};
