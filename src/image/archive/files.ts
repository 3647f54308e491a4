import { EngineError } from "../../linux/errors.ts";
import type { HeldBlob } from "../blob-writer.ts";
import { show } from "../document.ts";

/** The files of an image archive or layout, by their paths without a leading `./`. */
export interface ArchiveFiles {
  has(name: string): boolean;
  /** The content of a document. Throws EngineError where it is missing or too long. */
  read(name: string): Uint8Array;
  /** Brings a file into the store as a blob; the descriptor is the caller's. */
  bring(name: string): HeldBlob;
  /** Lets go of what is still held. */
  close(): void;
}

export function missing(name: string): EngineError {
  return new EngineError(`the archive is not whole: ${show(name)} is missing`);
}

export function tooLong(name: string): EngineError {
  return new EngineError(`cannot read the archive: ${show(name)} is too long for a document`);
}

/** A member's name as the key under which it is found. */
export function plainName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const clean: string[] = [];
  for (const part of parts) {
    if (part === "..") clean.pop();
    else clean.push(part);
  }
  return clean.join("/");
}
