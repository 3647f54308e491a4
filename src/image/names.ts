import { fullName, splitFull } from "./full-name.ts";
import { own, readIndex } from "./index-file.ts";
import { archiveSource, isInStep } from "./origin.ts";

/** What a reference names: something to open the image by, and the tag that was meant, if any. */
export interface Named {
  readonly name: string;
  readonly tag: string | undefined;
}

/** The names that a reference means: a repository alone means all of its tags, where it has several. */
export function resolveNames(root: string, reference: string): Named[] {
  const full = fullName(reference);
  const { tags } = readIndex(root);
  const { repository, tag } = splitFull(full);
  const isAlone = tag === "latest" && !/:latest$/.test(reference);
  const all = Object.keys(tags).filter((name) => splitFull(name).repository === repository);
  const wanted = isAlone ? all : all.filter((name) => name === full);
  const inStep = wanted.filter((name) => {
    const found = own(tags, name);
    return found !== undefined && isInStep(found, archiveSource(root, name));
  });
  if (inStep.length > 0) return inStep.map((name) => ({ name, tag: name }));
  return [{ name: reference, tag: undefined }];
}
