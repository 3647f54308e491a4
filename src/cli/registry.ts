import type { Command } from "./command.ts";
import { command as exec } from "./commands/exec.ts";
import { command as ps } from "./commands/ps.ts";
import { command as run } from "./commands/run.ts";
import { UsageError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/**
 * The commands whose every millisecond counts are part of the first file that the executable loads; the others lie
 * together in a second one. (A file for each command makes `run` load 21 of them, at 0.05 ms each.)
 */
const HOT: Readonly<Record<string, Command>> = { run, exec, ps };

/** The command of that name; an unknown one is a UsageError that names the nearest. */
export async function loadCommand(name: string): Promise<Command> {
  const hot = Object.hasOwn(HOT, name) ? HOT[name] : undefined;
  if (hot) return hot;
  const { COLD_COMMANDS } = await import("./cold.ts");
  const cold = COLD_COMMANDS.find((command) => command.name === name);
  if (cold) return cold;
  const names = (await allCommands()).map((command) => command.name);
  const near = nearest(name, names);
  const advice = near ? `did you mean 'mydocker ${near}'?` : "'mydocker help' lists the commands";
  throw new UsageError(`unknown command: ${name}: ${advice}`, 1);
}

/** All commands that people use. */
export async function allCommands(): Promise<Command[]> {
  const { COLD_COMMANDS } = await import("./cold.ts");
  return [...Object.values(HOT), ...COLD_COMMANDS.filter((command) => !command.name.startsWith("_"))];
}

const IN_GROUPS = new Set(["image", "container", "network", "volume", "system"]);

/** The command that is meant: where a group is named (`image ls`) the one in it. */
export async function findCommand(
  words: readonly [name: string, ...rest: string[]],
): Promise<readonly [name: string, ...rest: string[]]> {
  const [name, ...rest] = words;
  if (!IN_GROUPS.has(name)) return words;
  const { ungroup } = await import("./groups.ts");
  return ungroup(name, rest);
}

/** What stands before the command and is a command by itself. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "--help": "help",
  "-h": "help",
  "--version": "version",
  "-v": "version",
};

/**
 * Takes the options that stand before the command (--root DIR, --debug) off the arguments and puts them into the
 * environment, where the rest of the program and its own children look. Returns the command's name and what follows it.
 */
export function takeGlobals(argv: readonly string[]): readonly [name: string, ...rest: string[]] {
  const variables: Readonly<Record<string, string>> = { root: "MYDOCKER_ROOT", run: "MYDOCKER_RUN" };
  let at = 0;
  for (; at < argv.length; at++) {
    const match = /^(?:--?(root|run|debug)|-D)(?:=(.*))?$/.exec(argv[at] ?? "");
    if (!match) break;
    const [, name = "debug", value] = match;
    const variable = variables[name];
    if (variable === undefined) setDebug(value !== "false");
    else {
      const text = value ?? argv[++at];
      if (!text) throw new UsageError(`flag needs an argument: --${name}`);
      process.env[variable] = text;
    }
  }
  const [name = "help", ...rest] = argv.slice(at);
  const command = SPELLINGS[name] ?? name;
  if (command.startsWith("-")) throw new UsageError(`unknown flag: ${name}: see 'mydocker help'`);
  return [command, ...rest];
}

function setDebug(on: boolean): void {
  if (on) process.env.MYDOCKER_DEBUG = "1";
  else delete process.env.MYDOCKER_DEBUG;
}
