import type { Limits } from "./limits.ts";
import { Reader, type Unpacked } from "./reader.ts";
import { type Owner, TreeWriter } from "./tree-writer.ts";

const RULES = { absolute: false, mayLackEnd: false, isMember: () => true };

/**
 * Unpacks a tar (its plain bytes, in pieces) into the folder open on `root`: owners, modes, mtimes, links, device
 * nodes, xattrs. Nothing is written outside of it. Throws ArchiveError for an archive that is cut short, broken,
 * or tries to leave the folder; SysError where a system call failed. The folder is then half-filled: the
 * caller's to remove.
 */
export async function unpackTar(
  pieces: AsyncIterable<Uint8Array>,
  root: number,
  limits: Partial<Limits> = {},
  owner?: Owner,
): Promise<Unpacked> {
  const writer = new TreeWriter(root, "beneath", owner);
  try {
    const reader = new Reader(writer, RULES, limits);
    for await (const piece of pieces) await reader.push(piece);
    await reader.end();
    writer.finish();
    return reader.result();
  } finally {
    writer.close();
  }
}
