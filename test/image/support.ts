import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { BLOCK, padding, type TarMember, tarHeader } from "../../src/image/tar/header.ts";
import type { Limits } from "../../src/image/tar/limits.ts";
import { unpackTar } from "../../src/image/tar/unpack.ts";
import { close, O, open } from "../../src/linux/file.ts";

/** Tests that set owners or make devices need root. */
export const isRoot = process.getuid?.() === 0;

/** What this process has open at or below a folder, be it still there or not; all else the runtime closes when it likes. */
export function openBelow(folder: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      // that of the listing itself
      return [];
    }
  });
}

/** The same for all that tests make. */
export function openFiles(): string[] {
  return openBelow("/var/tmp/");
}

/** Runs `work` with a new folder that is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync("/var/tmp/mydocker-image-");
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export type Part = Partial<Omit<TarMember, "size">> & {
  readonly name: string;
  readonly data?: string | Uint8Array;
};

/** A tar of just these members, evil or not, with no end-of-archive. */
export function members(...parts: readonly Part[]): Buffer {
  const blocks: Uint8Array[] = [];
  for (const { data, ...part } of parts) {
    const bytes = typeof data === "string" ? Buffer.from(data) : (data ?? new Uint8Array(0));
    const common = { type: "0", mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000_000_000_000n } as const;
    blocks.push(
      tarHeader({ ...common, ...part, size: bytes.length }),
      bytes,
      Buffer.alloc(padding(bytes.length)),
    );
  }
  return Buffer.concat(blocks);
}

/** The same as a whole tar. */
export function tarOf(...parts: readonly Part[]): Buffer {
  return Buffer.concat([members(...parts), Buffer.alloc(2 * BLOCK)]);
}

/** The bytes in pieces of `size`. */
export async function* piecesOf(data: Uint8Array, size = 65536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** Unpacks into an existing folder, in pieces of `size` bytes. */
export async function unpackTo(
  folder: string,
  tar: Uint8Array,
  size?: number,
  limits: Partial<Limits> = {},
): ReturnType<typeof unpackTar> {
  const fd = open(folder, O.RDONLY | O.DIRECTORY);
  try {
    return await unpackTar(piecesOf(tar, size), fd, limits);
  } finally {
    close(fd);
  }
}

/** The message with which unpacking fails; fails itself where it does not. */
export async function refusal(tar: Uint8Array, size?: number, limits: Partial<Limits> = {}): Promise<string> {
  return await inFolder(async (folder) => {
    try {
      await unpackTo(folder, tar, size, limits);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    throw new Error("it was unpacked");
  });
}
