import { canonical, parseReference } from "../image/reference.ts";
import { UsageError } from "./errors.ts";

/** A name to be given to an image, in full: a repository with a tag, not a digest. Throws for what is none. */
export function readTag(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined)
    throw new UsageError(
      `invalid name ${text}: a digest is not given to an image, it has it: leave @sha256:… out`,
    );
  // Docker's words
  if (reference.path === "library/sha256")
    throw new UsageError("refusing to create an ambiguous tag using digest algorithm as name", 1);
  return canonical(reference);
}
