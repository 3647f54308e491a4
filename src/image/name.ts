import { EngineError } from "../linux/errors.ts";

/** Also the name of a file in image/ and of a lock, so it leaves room for what stands around it (NAME_MAX is 255). */
const GRAMMAR = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,159}(:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,39})?$/;
const HUB = /^(docker\.io\/)?(library\/)?/;

/**
 * An image's plain name from what the user typed: `docker.io/library/` before it and `:latest` behind it mean nothing
 * here. Throws EngineError "invalid reference format" for all that could not be the name of one file.
 */
export function imageName(reference: string): string {
  const name = reference.replace(HUB, "").replace(/:latest$/, "");
  if (GRAMMAR.test(name)) return name;
  throw new EngineError(`cannot use image ${JSON.stringify(reference)}: invalid reference format`);
}

/** A plain name's repository and tag, as Docker shows them. */
export function repositoryAndTag(name: string): readonly [repository: string, tag: string] {
  const [repository = "", tag = "latest"] = name.split(":");
  return [repository, tag];
}

/** Whether a plain name is what a reference means in a list: a repository with all its tags, or one tag of it. */
export function isListedUnder(reference: string, name: string): boolean {
  const wanted = reference.replace(HUB, "");
  const [repository, tag] = repositoryAndTag(name);
  return wanted === repository || wanted === `${repository}:${tag}`;
}

/** Where the user puts the archive of an image. */
export function archivePath(root: string, name: string): string {
  return `${root}/image/${name}.tar`;
}

/** The folder that holds the unpacked layers, by digest. */
export function layersPath(root: string): string {
  return `${root}/layers`;
}
