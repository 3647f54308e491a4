import { SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { harmless } from "./harmless.ts";

/** A command line that cannot be understood: one line that names what was wrong and what to do. */
export class UsageError extends EngineError {
  override readonly name: string = "UsageError";
}

/** What to try, for the failures that have the same reason wherever they come up. */
const HINTS: Record<string, string> = {
  EPERM: "the kernel forbids it: is this root with all capabilities?",
  ENOSPC: "no space left on device: the disk is full, or has no inodes left",
  EROFS: "the state folder is read-only: use --root for another one",
  EDQUOT: "the disk quota is used up",
};

/** Any failure as the line and the exit code that a person gets. */
export function describeError(error: unknown): { message: string; exitCode: number } {
  if (error instanceof EngineError) return { message: oneLine(error.message), exitCode: error.exitCode };
  if (error instanceof SysError) {
    const hint = HINTS[error.code];
    return { message: oneLine(hint ? `${error.message} (${hint})` : error.message), exitCode: 125 };
  }
  return { message: oneLine(error instanceof Error ? error.message : String(error)), exitCode: 125 };
}

/** Where an error comes from, for --debug: its stack, and those of the errors that caused it. */
export function errorChain(error: unknown): string {
  const stacks: string[] = [];
  for (let one = error; one instanceof Error && stacks.length < 10; one = one.cause)
    stacks.push(one.stack ?? String(one));
  return `${stacks.join("\ncaused by: ")}\n`;
}

/** What went wrong may name what an image or a registry says. */
function oneLine(text: string): string {
  return harmless(text.replace(/\s*\n\s*/g, " "));
}
