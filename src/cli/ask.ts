import { read } from "../linux/file.ts";
import { print } from "../linux/process.ts";
import { withoutEcho } from "../linux/tty.ts";

/** Asks the person at the terminal for a line; without `echo` it is not shown. */
export function ask(prompt: string, echo: boolean): string {
  print(2, prompt);
  if (echo) return readLine();
  const restore = withoutEcho(0);
  try {
    return readLine();
  } finally {
    restore();
    print(2, "\n");
  }
}

/** Docker asks whoever it is, behind a warning; without anybody to answer the answer is no. */
export function confirmed(warning: string): boolean {
  print(1, `WARNING! ${warning}\n`);
  return /^y(es)?$/i.test(ask("Are you sure you want to continue? [y/N] ", true).trim());
}

function readLine(): string {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  while (read(0, one) > 0 && one[0] !== 10) bytes.push(one[0] ?? 0);
  return new TextDecoder().decode(new Uint8Array(bytes)).replace(/\r$/, "");
}
