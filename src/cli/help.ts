import type { ArgsDef, CommandDef } from "citty";
import { isTerminal } from "../linux/tty.ts";
import type { Command } from "./command.ts";

/** A command as citty knows commands, whose usage it then prints. */
function toCitty(command: Command): CommandDef {
  const args: ArgsDef = {};
  for (const flag of command.flags) {
    const alias = [...(flag.short === undefined ? [] : [flag.short]), ...(flag.aliases ?? [])];
    const common = { alias, description: flag.help };
    args[flag.name] =
      flag.kind === "bool"
        ? { ...common, type: "boolean" }
        : {
            ...common,
            type: "string",
            valueHint: flag.kind === "list" ? `${flag.value} (repeatable)` : (flag.value ?? ""),
          };
  }
  return { meta: { name: command.name, description: command.summary }, args };
}

/** How a command is used: its usage line, what it does, its options and examples. */
export async function renderHelp(command: Command): Promise<string> {
  const { renderUsage } = await import("citty");
  const usage = await renderUsage(toCitty(command), { meta: { name: "mydocker" } });
  // citty knows no order of arguments that Docker's users would recognise: the usage line is ours
  const options = usage
    .split("\n")
    .slice(usage.split("\n").findIndex((line) => line.includes("OPTIONS") && !line.includes("[OPTIONS]")));
  const body = command.flags.length > 0 ? `\n${options.join("\n").trimEnd()}\n` : "";
  const examples = command.examples?.map((example) => `  ${example}\n`).join("") ?? "";
  return paint(
    `Usage:  mydocker ${command.name} ${command.usage}\n\n${command.summary}\n${body}${examples && `\nExamples:\n${examples}`}`,
  );
}

/** All commands, a line each. */
export async function renderOverview(commands: readonly Command[]): Promise<string> {
  const { renderUsage } = await import("citty");
  const subCommands = Object.fromEntries(commands.map((command) => [command.name, toCitty(command)]));
  const usage = await renderUsage({
    meta: { name: "mydocker", description: "Containers without a daemon, in one file" },
    subCommands,
  });
  const globals =
    "\nOptions before the command:\n  --root DIR   the state folder (/var/lib/mydocker, MYDOCKER_ROOT)\n  --run DIR    the runtime folder (/run/mydocker, MYDOCKER_RUN)\n  --debug, -D  show where an error comes from\n";
  return paint(`${usage.trimEnd()}\n${globals}`);
}

/** Colours only for a person at a terminal who has not asked for none (no-color.org). */
function paint(text: string): string {
  return isTerminal(1) && !process.env.NO_COLOR ? text : Bun.stripANSI(text);
}
