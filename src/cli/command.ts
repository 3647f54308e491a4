/** What a flag takes: nothing, one text, one whole number, or one text each time it is given. */
export type FlagKind = "bool" | "string" | "int" | "list";

/** A flag of a command; every long name may be written with one dash or two. */
export interface Flag {
  /** The long name, without dashes. */
  readonly name: string;
  /** One letter; boolean ones may be clustered (`-it`). */
  readonly short?: string;
  /** Other long names of the same flag (the classic spellings). */
  readonly aliases?: readonly string[];
  readonly kind: FlagKind;
  /** What stands for the value in the help (`NAME`). */
  readonly value?: string;
  readonly help: string;
}

/** What was read from the command line of one command. */
export interface Parsed {
  bool(name: string): boolean;
  /** The last value given, or undefined. */
  text(name: string): string | undefined;
  int(name: string): number | undefined;
  /** Every value given, in order. */
  list(name: string): readonly string[];
  /** Whether the flag was given at all. */
  has(name: string): boolean;
  readonly args: readonly string[];
}

/** Where the commands are found, for those that tell about the others. */
export interface Registry {
  load(name: string): Promise<Command>;
  /** All commands that people use. */
  all(): Promise<Command[]>;
}

/** One command of the program: plain data, from which parsing, help and completion are made. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the name in the usage line: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** How many positional arguments it takes. */
  readonly args: { readonly min: number; readonly max: number };
  /** Whether flags may stand behind the first positional argument too (not for run and exec). */
  readonly interspersed: boolean;
  /** What the positional arguments name, for completion. */
  readonly completes?: "containers" | "images" | "volumes" | "commands";
  readonly examples?: readonly string[];
  /** Does the work; returns the exit code. */
  run(input: Parsed, registry: Registry): number | Promise<number>;
}
