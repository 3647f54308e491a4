import { describeError, errorChain } from "./cli/errors.ts";
import { HelpWanted, parseFlags } from "./cli/flags.ts";
import { allCommands, findCommand, loadCommand, takeGlobals } from "./cli/registry.ts";
import { tellError } from "./cli/tell.ts";
import { effectiveUser, exitNow, ownArguments, print, setUmask } from "./linux/process.ts";

/** Commands that only talk: they need no rights. */
const FOR_ANYONE = new Set(["help", "version", "completion"]);

async function main(): Promise<number> {
  // every file is made with the mode that is asked for, whatever our caller's umask
  setUmask(0);
  const [name, ...argv] = await findCommand(takeGlobals(ownArguments()));
  const command = await loadCommand(name);
  try {
    const input = parseFlags(command, argv);
    if (!FOR_ANYONE.has(command.name) && effectiveUser() !== 0) {
      print(2, "mydocker: must be run as root (try sudo); rootless containers are not supported yet\n");
      return 125;
    }
    return await command.run(input, { load: loadCommand, all: allCommands });
  } catch (error) {
    if (!(error instanceof HelpWanted)) throw error;
    const { renderHelp } = await import("./cli/help.ts");
    print(1, await renderHelp(command));
    return 0;
  }
}

let code: number;
try {
  code = await main();
} catch (error) {
  const { message, exitCode } = describeError(error);
  await tellError(message);
  if (process.env.MYDOCKER_DEBUG) print(2, errorChain(error));
  code = exitCode;
}
exitNow(code);
