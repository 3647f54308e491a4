import { print } from "../linux/process.ts";
import { isTerminal } from "../linux/tty.ts";

/** Tells what went wrong in one line on stderr; to a person at a terminal with a mark in front that stands out. */
export async function tellError(message: string): Promise<void> {
  let mark = "mydocker:";
  if (isTerminal(2) && !process.env.NO_COLOR) {
    // loaded for a person who has made a mistake, never for a script
    const { getColor } = await import("consola/utils");
    mark = getColor("red")(mark);
  }
  print(2, `${mark} ${message}\n`);
}
