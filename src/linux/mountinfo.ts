import { readlink, readText } from "./file.ts";

/** A line of /proc/self/mountinfo (proc(5)). */
export interface MountLine {
  readonly id: string;
  readonly place: string;
  /** `shared:N`, `master:N`. */
  readonly kinds: readonly string[];
}

/** What is mounted in the caller's mount namespace. */
export function mountLines(text: string = readText("/proc/self/mountinfo")): MountLine[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const fields = line.split(" ");
      const [id = "", , , , place = ""] = fields;
      return { id, place: unescapePath(place), kinds: fields.slice(6, fields.indexOf("-")) };
    });
}

/** Blanks, tabs, newlines and backslashes stand as octal escapes. */
export function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Where something is mounted below the folder that `fd` is open on, whatever name led to it. */
export function mountsBelow(fd: number): string[] {
  const folder = readlink(`/proc/self/fd/${fd}`);
  return mountLines().flatMap(({ place }) => (place.startsWith(`${folder}/`) ? [place] : []));
}
