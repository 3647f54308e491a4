import { readable } from "../../linux/tree.ts";
import { ArchiveError } from "./archive-error.ts";

/** include/uapi/linux/posix_acl.h */
const TAGS: Readonly<Record<string, readonly [own: number, named: number]>> = {
  user: [0x01, 0x02],
  group: [0x04, 0x08],
  mask: [0x10, 0x10],
  other: [0x20, 0x20],
};
const VERSION = 2;
const NOBODY = 0xffffffff;

/**
 * An ACL's text (`user::rwx,user:lisa:r-x:1000,…`, as star, GNU tar and libarchive write it into SCHILY.acl.*) as the value
 * of the kernel's system.posix_acl_* (a byte string; include/uapi/linux/posix_acl_xattr.h). ArchiveError where it is
 * malformed, or names somebody without telling the number: whose name that is in the image, nobody here knows.
 */
export function aclValue(text: string): string {
  const entries = text
    .split(/[,\n]/)
    .map((entry) => entry.replace(/#.*$/, "").trim())
    .filter((entry) => entry !== "")
    .map(readEntry)
    // the order that the kernel asks for
    .sort((a, b) => a.tag - b.tag || a.id - b.id);
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(VERSION, 0);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + 8 * i);
    value.writeUInt16LE(permissions, 6 + 8 * i);
    value.writeUInt32LE(id, 8 + 8 * i);
  }
  return value.toString("latin1");
}

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

function readEntry(text: string): AclEntry {
  const [, kind = "", name = "", letters = "", number] =
    /^(user|group|mask|other):([^:]*):([rwx-]{1,3})(?::([0-9]+))?$/.exec(text) ?? [];
  const [own, named] = TAGS[kind] ?? [];
  const shown = JSON.stringify(readable(text.slice(0, 100)));
  if (own === undefined || named === undefined)
    throw new ArchiveError(`its ACL has the entry ${shown}, which is none`);
  const permissions =
    (letters.includes("r") ? 4 : 0) + (letters.includes("w") ? 2 : 0) + (letters.includes("x") ? 1 : 0);
  if (name === "") return { tag: own, permissions, id: NOBODY };
  const id = Number(number ?? (/^[0-9]+$/.test(name) ? name : NOBODY));
  if (id >= NOBODY || own === named)
    throw new ArchiveError(`its ACL has the entry ${shown}, which names no number: pack it with numeric ids`);
  return { tag: named, permissions, id };
}
