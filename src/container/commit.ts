import { archivePath, imageName } from "../image/store.ts";
import { EngineError } from "../linux/errors.ts";
import { close, mkdirAll } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import { isRunning } from "./liveness.ts";
import { openMerged } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import { findId, readContainer, readState, waitForLock } from "./store.ts";

/**
 * `commit`: the merged view of a container, running or not, as image/IMAGE.tar, which `run` finds at once. A name that
 * exists is refused. Returns the image's name.
 */
export async function commitContainer(paths: Paths, reference: string, image: string): Promise<string> {
  const { record } = readContainer(paths, findId(paths, reference));
  const name = imageName(image);
  const out = archivePath(paths.root, name);
  if (exists(out))
    throw new EngineError(
      `cannot commit to ${name}: an image of that name exists; 'mydocker rmi ${name}' removes it`,
      1,
    );
  mkdirAll(`${paths.root}/image`, 0o700);
  const { packTree } = await import("../image/pack.ts");
  Bun.unsafe.setJITPolicy(1);
  if (isRunning(readState(paths, record))) {
    packTree(paths.merged(record.id), out);
    return name;
  }
  // nobody may start or remove it while its layers are mounted here
  const lock = await waitForLock(paths, record.id, 10);
  if (lock === undefined)
    throw new EngineError(`cannot commit container ${record.name}: another command is busy with it`, 1);
  try {
    const merged = openMerged(paths, record.id, record.layers);
    try {
      packTree(merged, out);
    } finally {
      close(merged);
    }
  } finally {
    close(lock);
  }
  return name;
}
