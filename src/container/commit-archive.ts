import { configComment } from "../image/config-comment.ts";
import { packTree } from "../image/pack.ts";
import { archiveName, archivePath, fullName, hasImage, isArchiveName } from "../image/store.ts";
import { EngineError } from "../linux/errors.ts";
import { mkdirAll } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import { configFrom } from "./committed-config.ts";
import { ownersOf } from "./idmap.ts";
import type { Paths } from "./paths.ts";
import { findId, readContainer } from "./store.ts";
import { withView } from "./view.ts";

/**
 * `commit --tar`: the merged view of a container, running or not, as image/NAME.tar, which `run` finds at once. An archive of
 * that name is not written over. How the container runs is the image's from then on. Returns the path of the archive.
 */
export async function commitArchive(paths: Paths, reference: string, image: string): Promise<string> {
  const full = fullName(image);
  const container = readContainer(paths, findId(paths, reference));
  const name = archiveName(full);
  if (name === undefined || !isArchiveName(name))
    throw new EngineError(
      `cannot commit to ${image} as an archive: its name must do for a file, such as myimage:v1`,
    );
  const out = archivePath(paths.root, name);
  const taken = new EngineError(
    `cannot commit to ${name}: an image of that name exists; 'mydocker rmi ${name}' removes it`,
    1,
  );
  if (hasImage(paths.root, full)) throw taken;
  mkdirAll(`${paths.root}/image`, 0o700);
  return await withView(paths, container.record, "commit", (view) => {
    const merged = view.merged();
    try {
      packTree(merged, out, { comment: configComment(configFrom(container)), ...ownersOf(container.record) });
    } catch (error) {
      throw exists(out) ? taken : error;
    }
    return out;
  });
}
