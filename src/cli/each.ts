import { print } from "../linux/process.ts";
import { describeError } from "./errors.ts";
import { tellError } from "./tell.ts";

/** How a command goes through its targets: all of them at once, or one after the other. */
export type Order = "parallel" | "serial";

/**
 * Does `work` for each of the names as they were typed, prints each on success, and each failure as a line on stderr; a
 * text that `work` returns goes there too, in place of the name, and is no failure.
 * The exit code is 1 where any of them failed (docker-conventions: commands on several targets go on).
 */
export async function forEach(
  names: readonly string[],
  order: Order,
  work: (name: string) => unknown,
): Promise<number> {
  let failed = false;
  const one = async (name: string): Promise<void> => {
    try {
      const remark = await work(name);
      if (typeof remark === "string") await tellError(remark);
      else print(1, `${name}\n`);
    } catch (error) {
      failed = true;
      await tellError(describeError(error).message);
    }
  };
  if (order === "parallel") await Promise.all(names.map(one));
  else for (const name of names) await one(name);
  return failed ? 1 : 0;
}
