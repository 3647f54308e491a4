/** What the tests of volumes have in common. */
import { readFileSync } from "node:fs";
import { newName, ok, ROOT } from "./harness.ts";

export const NONE = ["--network", "none"];
export const folderOf = (volume: string): string => `${ROOT}/volumes/${volume}`;
export const dataOf = (volume: string): string => `${folderOf(volume)}/_data`;
export const run = (...args: string[]): Promise<string> => ok("run", "--rm", ...NONE, ...args);
export const volumes = async (...args: string[]): Promise<string[]> =>
  (await ok("volume", "ls", "-q", ...args)).split("\n").filter((name) => name !== "");
export const mountLine = (pid: number, place: string): string =>
  readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .split("\n")
    .find((line) => line.split(" ")[4] === place) ?? "";

/** An image with a folder /data of somebody's, with `files` files in it. */
export async function imageWithData(files = 1): Promise<string> {
  const seed = newName();
  const script = `mkdir /data; for i in $(seq ${files}); do echo $i >/data/$i; done; chown -R 5:6 /data; chmod 2750 /data`;
  await ok("run", "--name", seed, ...NONE, "busybox", "sh", "-c", script);
  const image = newName();
  await ok("commit", seed, image);
  await ok("rm", seed);
  return image;
}
