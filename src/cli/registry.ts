import type { Command } from "./command.ts";
import { UsageError } from "./errors.ts";

/** Every command, loaded only when it is the one that was typed. */
const LOADERS: Record<string, () => Promise<Command>> = {
  run: async () => (await import("./commands/run.ts")).command,
  ps: async () => (await import("./commands/ps.ts")).command,
  logs: async () => (await import("./commands/logs.ts")).command,
  exec: async () => (await import("./commands/exec.ts")).command,
  stop: async () => (await import("./commands/stop.ts")).command,
  start: async () => (await import("./commands/start.ts")).command,
  restart: async () => (await import("./commands/restart.ts")).command,
  kill: async () => (await import("./commands/kill.ts")).command,
  rm: async () => (await import("./commands/rm.ts")).command,
  commit: async () => (await import("./commands/commit.ts")).command,
  images: async () => (await import("./commands/images.ts")).command,
  rmi: async () => (await import("./commands/rmi.ts")).command,
  inspect: async () => (await import("./commands/inspect.ts")).command,
  info: async () => (await import("./commands/info.ts")).command,
  version: async () => (await import("./commands/version.ts")).command,
  completion: async () => (await import("./commands/completion.ts")).command,
  help: async () => (await import("./commands/help.ts")).command,
  // what a monitor becomes to remove its container; not for people
  __reap: async () => (await import("./commands/reap.ts")).command,
};

/** The names of the commands that people use. */
export function commandNames(): string[] {
  return Object.keys(LOADERS).filter((name) => !name.startsWith("_"));
}

/** The command of that name; an unknown one is a UsageError that names the nearest. */
export async function loadCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(LOADERS, name) ? LOADERS[name] : undefined;
  if (load) return load();
  const { nearest } = await import("./nearest.ts");
  const near = nearest(name, commandNames());
  const advice = near ? `did you mean 'mydocker ${near}'?` : "'mydocker help' lists the commands";
  throw new UsageError(`unknown command: ${name}: ${advice}`, 1);
}

/** All commands that people use, for help and completion. */
export async function allCommands(): Promise<Command[]> {
  return Promise.all(commandNames().map(loadCommand));
}

/**
 * Takes the options that stand before the command (--root DIR, --debug) off the arguments and puts them into the
 * environment, where the rest of the program and its own children look.
 */
export function takeGlobals(argv: readonly string[]): readonly string[] {
  const variables: Record<string, string> = { root: "MYDOCKER_ROOT", run: "MYDOCKER_RUN" };
  let at = 0;
  for (; at < argv.length; at++) {
    const match = /^--?(root|run|debug)(?:=(.*))?$/.exec(argv[at] ?? "");
    if (!match) break;
    const [, name = "", value] = match;
    const variable = variables[name];
    if (variable === undefined) setDebug(value !== "false");
    else {
      const text = value ?? argv[++at];
      if (!text) throw new UsageError(`flag needs an argument: --${name}`);
      process.env[variable] = text;
    }
  }
  return argv.slice(at);
}

function setDebug(on: boolean): void {
  if (on) process.env.MYDOCKER_DEBUG = "1";
  else delete process.env.MYDOCKER_DEBUG;
}
