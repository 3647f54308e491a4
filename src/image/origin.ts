import { type Stat, statIfAny } from "../linux/stat.ts";
import type { Tag } from "./index-file.ts";
import { archiveName, archivePath } from "./name.ts";

/** The image that the program itself carries, used where nothing else has that name. */
export const EMBEDDED_NAME = "docker.io/library/busybox:latest";
const EMBEDDED = "embedded:";

/** `sha256:…` of the embedded archive, the bytes of its files and its age, put in by build.ts. */
declare const BUSYBOX_ID: string | undefined;
declare const BUSYBOX_CONTENT: number | undefined;
declare const BUSYBOX_CREATED: string | undefined;

/** The embedded image's id; undefined in a program that was built without one. */
export function embeddedId(): string | undefined {
  return typeof BUSYBOX_ID === "string" ? BUSYBOX_ID : undefined;
}

/** What is known of the embedded image before it is unpacked; nothing in a program that was built without one. */
export function embeddedFacts(): { readonly size?: number; readonly created?: string } {
  return {
    ...(typeof BUSYBOX_CONTENT === "number" && { size: BUSYBOX_CONTENT }),
    ...(typeof BUSYBOX_CREATED === "string" && { created: BUSYBOX_CREATED }),
  };
}

/** What tells one state of an archive from every other without reading it. */
export function sourceOf(stat: Stat): string {
  const { devMajor, devMinor, ino, size, mtime, ctime } = stat;
  return `file:${devMajor}:${devMinor}:${ino}:${size}:${mtime}:${ctime}`;
}

/** Whether a text is the beginning of the embedded image's id, by which it is listed before it is unpacked. */
export function isEmbeddedId(text: string): boolean {
  const digits = text.replace(/^sha256:/, "");
  return /^[0-9a-f]{6,64}$/.test(digits) && embeddedId()?.startsWith(`sha256:${digits}`) === true;
}

/** The source of the embedded image of that id. */
export function embeddedSource(id: string): string {
  return EMBEDDED + id;
}

/** Whether a tag is of the embedded image, in this program or one before it. */
export function isEmbedded(tag: Tag | undefined): boolean {
  return tag?.from?.startsWith(EMBEDDED) === true;
}

/** The state of the archive in image/ that has that whole name; undefined where there is none. */
export function archiveSource(root: string, full: string): string | undefined {
  const name = archiveName(full);
  const stat = name === undefined ? undefined : statIfAny(archivePath(root, name));
  return stat && sourceOf(stat);
}

/** What a whole name that is given to an image stands for; an archive of that name has it again when it changes. */
export function tagFor(root: string, full: string, id: string): Tag {
  const over = archiveSource(root, full);
  return { id, ...(over !== undefined && { over }) };
}

/**
 * Whether a tag still says what its name stands for, `archive` being the present state of the archive of that name. A newer
 * archive takes the name; one that was taken away took its image with it.
 */
export function isInStep(tag: Tag, archive: string | undefined): boolean {
  if (archive !== undefined) return archive === (tag.from ?? tag.over);
  if (!isEmbedded(tag)) return tag.from === undefined;
  const id = embeddedId();
  return id !== undefined && tag.from === embeddedSource(id);
}
