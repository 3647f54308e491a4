import { print } from "../linux/process.ts";
import type { Parsed } from "./command.ts";
import { describeError } from "./errors.ts";
import { tellError } from "./tell.ts";
import { renderTemplate } from "./template.ts";

/**
 * `inspect` of things with names: each that `find` gives for a name, together as JSON or each by the template of --format; what is
 * not there is told, and the others are shown all the same. Returns the exit code.
 */
export async function inspectEach(input: Parsed, find: (name: string) => object): Promise<number> {
  const format = input.text("format");
  const found: object[] = [];
  let failed = 0;
  for (const name of input.args) {
    try {
      found.push(find(name));
    } catch (error) {
      failed = 1;
      await tellError(describeError(error).message);
    }
  }
  if (format === undefined) print(1, `${JSON.stringify(found, null, 4)}\n`);
  else
    for (const one of found)
      print(1, `${format === "json" ? JSON.stringify(one) : renderTemplate(format, one)}\n`);
  return failed;
}
