import { type Stat, statIfAny } from "../linux/stat.ts";
import { archivePath } from "./name.ts";

/** The image that the program itself carries, used where image/ has none of that name. */
export const EMBEDDED_NAME = "busybox";

/** `sha256:…` of the embedded archive, put in by build.ts. */
declare const BUSYBOX_ID: string | undefined;

/** The embedded image's id; undefined in a program that was built without one. */
export function embeddedId(): string | undefined {
  return typeof BUSYBOX_ID === "string" ? BUSYBOX_ID : undefined;
}

/** What tells one state of an archive from every other without reading it. */
export function sourceOf(stat: Stat): string {
  const { devMajor, devMinor, ino, size, mtime, ctime } = stat;
  return `file:${devMajor}:${devMinor}:${ino}:${size}:${mtime}:${ctime}`;
}

/** Which archive `name` (a plain name) would come from now; undefined where there is none. */
export function currentSource(root: string, name: string): string | undefined {
  const stat = statIfAny(archivePath(root, name));
  if (stat !== undefined) return sourceOf(stat);
  const id = name === EMBEDDED_NAME ? embeddedId() : undefined;
  return id === undefined ? undefined : `embedded:${id}`;
}

/** Whether there is an image of that plain name, be it the embedded one. */
export function hasImage(root: string, name: string): boolean {
  return currentSource(root, name) !== undefined;
}
