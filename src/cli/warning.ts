import { print } from "../linux/process.ts";

/** Says on stderr what the user should know, as Docker does. */
export function tellWarning(text: string): void {
  print(2, `WARNING: ${text}\n`);
}
