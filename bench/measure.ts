import { closeSync, openSync, readFileSync } from "node:fs";

/** A program to time: its arguments, and what it needs in the environment besides PATH and HOME. */
export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One line of a group that is timed round by round with the others of the group. */
export interface Case extends Command {
  readonly name: string;
  /** What the engine still does in the background after it returned, in ms: it must not disturb the next one. */
  readonly settle: number;
  /** What makes it ready, each time; not timed. */
  readonly before?: () => void;
}

export interface Result {
  readonly name: string;
  readonly samples: readonly number[];
  readonly median: number;
  readonly min: number;
}

const WARM_UPS = 2;

/** Set by SIGINT and SIGTERM; the loops below look at it between two programs. */
export const interruption = { seen: false };

export class Interrupted extends Error {}

function environment(command: Command): Record<string, string> {
  return { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", ...command.env };
}

/** Runs a program to its end, gives its stdout; a failure is an error with the program's own words. */
export function output(command: Command): string {
  const spawned = Bun.spawnSync([...command.argv], {
    env: environment(command),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  if (spawned.exitCode === 0) return spawned.stdout.toString();
  const words = spawned.stderr.toString().trim();
  throw new Error(`${command.argv.join(" ")}: exit code ${spawned.exitCode}${words && `: ${words}`}`);
}

/** Starts something that stays behind: no pipe of ours may be inherited, or we would wait for it. */
export function start(command: Command, log: string): void {
  time(command, openSync(log, "w"), log);
}

/** Milliseconds of wall clock around one whole process, from before the spawn until it has been reaped. */
function time(command: Command, stderr: number, log: string): number {
  const options = { env: environment(command), stdin: "ignore", stdout: "ignore", stderr } as const;
  const argv = [...command.argv];
  const begin = Bun.nanoseconds();
  const { exitCode } = Bun.spawnSync(argv, options);
  const spent = (Bun.nanoseconds() - begin) / 1e6;
  closeSync(stderr);
  if (exitCode !== 0)
    throw new Error(`${argv.join(" ")}: exit code ${exitCode}: ${readFileSync(log, "utf8").trim()}`);
  return spent;
}

/**
 * Times the cases of a group in alternating rounds, so that the machine's noise hits all of them alike. Each round
 * has an order of its own: what a case leaves to the kernel must not always hit the same neighbour.
 */
export async function timeGroup(
  cases: readonly Case[],
  rounds: number,
  log: string,
  warmUps = WARM_UPS,
): Promise<Result[]> {
  const samples = new Map(cases.map(({ name }): [string, number[]] => [name, []]));
  for (let round = -warmUps; round < rounds; round++) {
    for (const one of shuffled(cases)) {
      await interruptible(() => one.before?.());
      const stderr = openSync(log, "w");
      const spent = await interruptible(() => time(one, stderr, log));
      if (round >= 0) samples.get(one.name)?.push(spent);
      await Bun.sleep(one.settle);
    }
  }
  return cases.map(({ name }) => summary(name, samples.get(name) ?? []));
}

export function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** Runs `work`; lets a signal that came meanwhile be seen first, since Ctrl-C also ends the program under test. */
export async function interruptible<T>(work: () => T): Promise<T> {
  let failure: unknown;
  let result: T | undefined;
  try {
    result = work();
  } catch (error) {
    failure = error;
  }
  await Bun.sleep(0);
  if (interruption.seen) throw new Interrupted("interrupted");
  if (failure !== undefined) throw failure;
  return result as T;
}

export function summary(name: string, samples: readonly number[]): Result {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted.length % 2 ? upper : (sorted[middle - 1] ?? upper);
  return { name, samples, median: (upper + lower) / 2, min: sorted[0] ?? Number.NaN };
}
