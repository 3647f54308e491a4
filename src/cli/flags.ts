import type { Command, Flag, Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** Somebody asked how a command is used. */
export class HelpWanted extends Error {}

type Value = boolean | number | string | string[];

/**
 * Reads the arguments of a command as Docker's users write them: a long name with one dash or two, `--name=value`,
 * short flags in clusters (`-it`, `-itv /a:/b`) and with their value behind (`-eK=V`). A long name wins over a cluster.
 * Throws UsageError (125; 1 for a wrong number of arguments), or HelpWanted.
 */
export function parseFlags(command: Command, argv: readonly string[]): Parsed {
  const reader = new Reader(command, argv);
  reader.readAll();
  const { values, args } = reader;
  checkArity(command, args.length);
  const get = <T>(name: string, fallback: T): T => (values.get(name) as T | undefined) ?? fallback;
  return {
    args,
    bool: (name) => get(name, false),
    text: (name) => get<string | undefined>(name, undefined),
    int: (name) => get<number | undefined>(name, undefined),
    list: (name) => get<string[]>(name, []),
    has: (name) => values.has(name),
  };
}

class Reader {
  readonly values = new Map<string, Value>();
  readonly args: string[] = [];
  private readonly long = new Map<string, Flag>();
  private readonly short = new Map<string, Flag>();
  private at = 0;

  constructor(
    private readonly command: Command,
    private readonly argv: readonly string[],
  ) {
    for (const flag of command.flags) {
      for (const name of [flag.name, ...(flag.aliases ?? [])]) this.long.set(name, flag);
      if (flag.short !== undefined) this.short.set(flag.short, flag);
    }
  }

  readAll(): void {
    while (this.at < this.argv.length) {
      const arg = this.argv[this.at++] ?? "";
      if (arg === "--") break;
      if (arg.startsWith("-") && arg !== "-") this.readOption(arg);
      else {
        this.args.push(arg);
        if (!this.command.interspersed) break;
      }
    }
    this.args.push(...this.argv.slice(this.at));
  }

  private readOption(arg: string): void {
    const body = arg.replace(/^--?/, "");
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const flag = this.long.get(name);
    if (flag) return this.set(flag, `--${name}`, equals < 0 ? undefined : body.slice(equals + 1));
    if (name === "help" || (arg === "-h" && !this.short.has("h"))) throw new HelpWanted();
    if (arg.startsWith("--")) throw this.unknown(name);
    this.readCluster(body, arg);
  }

  private readCluster(body: string, arg: string): void {
    for (let i = 0; i < body.length; i++) {
      const letter = body[i] ?? "";
      const flag = this.short.get(letter);
      if (!flag)
        throw i === 0 && body.length > 2
          ? this.unknown(body.split("=")[0] ?? body)
          : this.unknownShort(letter, arg);
      const rest = body.slice(i + 1);
      if (flag.kind !== "bool")
        return this.set(flag, `-${letter}`, rest === "" ? undefined : rest.replace(/^=/, ""));
      if (rest.startsWith("=")) return this.set(flag, `-${letter}`, rest.slice(1));
      this.set(flag, `-${letter}`, undefined);
    }
  }

  private set(flag: Flag, shown: string, given: string | undefined): void {
    if (flag.kind === "bool") {
      this.values.set(flag.name, given === undefined ? true : toBool(shown, given));
      return;
    }
    const text = given ?? this.argv[this.at++];
    if (text === undefined) throw new UsageError(`flag needs an argument: ${shown}`);
    if (flag.kind === "int") this.values.set(flag.name, toInt(shown, text));
    else if (flag.kind === "string") this.values.set(flag.name, text);
    else this.values.set(flag.name, [...((this.values.get(flag.name) as string[] | undefined) ?? []), text]);
  }

  private unknown(name: string): UsageError {
    const near = nearest(name, [...this.long.keys()]);
    const advice = near ? `did you mean --${near}?` : `see 'mydocker ${this.command.name} --help'`;
    return new UsageError(`unknown flag: --${name}: ${advice}`);
  }

  private unknownShort(letter: string, arg: string): UsageError {
    return new UsageError(
      `unknown shorthand flag: '${letter}' in ${arg}: see 'mydocker ${this.command.name} --help'`,
    );
  }
}

function toBool(shown: string, text: string): boolean {
  if (["true", "1", "t", "T", "TRUE", "True"].includes(text)) return true;
  if (["false", "0", "f", "F", "FALSE", "False"].includes(text)) return false;
  throw new UsageError(`invalid value "${text}" for ${shown}: it is true or false`);
}

function toInt(shown: string, text: string): number {
  const number = Number(text);
  if (/^[+-]?[0-9]+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new UsageError(`invalid value "${text}" for ${shown}: it must be a whole number`);
}

function checkArity({ name, args }: Command, count: number): void {
  if (count >= args.min && count <= args.max) return;
  const wanted = count < args.min ? args.min : args.max;
  const how =
    args.min === args.max
      ? wanted === 0
        ? "accepts no"
        : "requires exactly"
      : count < args.min
        ? "requires at least"
        : "requires at most";
  const number = wanted === 0 ? "" : ` ${wanted}`;
  throw new UsageError(
    `'mydocker ${name}' ${how}${number} argument${wanted === 1 ? "" : "s"}: see 'mydocker ${name} --help'`,
    1,
  );
}
