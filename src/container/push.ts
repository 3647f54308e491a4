import { splitFull } from "../image/full-name.ts";
import { resolveNames } from "../image/names.ts";
import { type PushOptions, pushImage } from "../image/push.ts";
import { parseReference, type Reference, repositoryOf } from "../image/reference.ts";
import { hasImage, resolveImage } from "../image/store.ts";
import { sweepOnceABoot } from "../image/upkeep.ts";
import { EngineError } from "../linux/errors.ts";
import { imageStore, thenSweep } from "./images.ts";
import type { Paths } from "./paths.ts";

/** `push`: the image of a name, or with `all` those of all tags of its repository. Returns what was pushed. */
export async function pushNamed(
  paths: Paths,
  name: string,
  options: PushOptions & { readonly all: boolean },
): Promise<Reference[]> {
  const reference = parseReference(name);
  const store = imageStore(paths);
  const { root, run, inUse } = store;
  if (reference.digest !== undefined)
    throw new EngineError(`cannot push ${name}: a digest is no name to push to: leave @sha256:… out`, 1);
  const hasTag = /:[^/]*$/.test(name);
  if (options.all && hasTag) throw new EngineError("tag can't be used with --all-tags/-a", 1);
  const tags = options.all
    ? resolveNames(root, name).flatMap(({ tag }) => (tag === undefined ? [] : [splitFull(tag).tag ?? ""]))
    : [reference.tag ?? "latest"];
  const repository = repositoryOf(reference);
  if (!options.all && !hasImage(root, `${repository}:${tags[0]}`))
    throw new EngineError(
      `An image does not exist locally with the tag: ${repository}: 'mydocker tag' gives it`,
      1,
    );
  if (tags.length === 0)
    throw new EngineError(`An image does not exist locally with the tag: ${repository}`, 1);
  if (!options.all && !hasTag) options.progress.line("Using default tag: latest");
  options.progress.line(`The push refers to repository [${repository}]`);
  sweepOnceABoot(store);
  await thenSweep(store, async () => {
    for (const tag of tags) {
      await resolveImage(root, run, `${repository}:${tag}`, { inUse });
      await pushImage(paths, reference, tag, options);
    }
  });
  return tags.map((tag) => ({ ...reference, tag }));
}
