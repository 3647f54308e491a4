import { EngineError } from "../linux/errors.ts";
import { parseDocument } from "./document.ts";
import { findId, findImage } from "./find.ts";
import { familiar, fullName } from "./full-name.ts";
import type { Image } from "./image.ts";
import { own, readIndex } from "./index-file.ts";
import { bringFrom, installImage } from "./install.ts";
import { EMBEDDED_NAME, isEmbeddedId } from "./origin.ts";
import { fitsPlatform, type Platform, parsePlatform } from "./platform.ts";
import { SILENT } from "./progress.ts";
import { readBlob } from "./read-blob.ts";
import { canonical, parseReference } from "./reference.ts";
import { unpackImage } from "./resolve.ts";
import type { Local, Wish } from "./store.ts";
import { openStored } from "./stored.ts";
import { sweepOnceABoot } from "./upkeep.ts";

/** The slow way of `resolveImage`: unpacks an archive, makes layers again that were lost, or pulls. */
export async function obtainImage(
  root: string,
  run: string,
  reference: string,
  asked: Wish | Local | undefined,
): Promise<Image> {
  // nothing that lies there since before a power cut is to be taken for a layer of the image
  if (asked !== undefined) sweepOnceABoot({ root, run, inUse: asked.inUse });
  const wish = asked !== undefined && "pull" in asked ? asked : undefined;
  const platform = wish?.platform === undefined ? undefined : parsePlatform(wish.platform);
  if (wish?.pull !== "always") {
    // the archives of old may have names that no registry would take
    const full = isEmbeddedId(reference) ? EMBEDDED_NAME : fullName(reference);
    const unpacked = await unpackImage(root, run, full);
    const found = unpacked ?? findImage(root, reference) ?? (await restoreLayers(root, reference));
    if (found && (platform === undefined || isForPlatform(root, found.id, platform))) return found;
  }
  const parsed = parseReference(reference);
  const name = familiar(canonical(parsed));
  if (wish === undefined) throw new EngineError(`No such image: ${name}`, 1);
  if (wish.pull === "never") throw new EngineError(`No such image: ${name}`);
  const progress = await wish.progress();
  const { pullImage } = await import("./pull.ts");
  const unable = wish.pull === "missing" ? `Unable to find image '${name}' locally` : undefined;
  let found = false;
  try {
    await wish.interruptible((signal) =>
      pullImage({ root, run, inUse: wish.inUse }, parsed, {
        ...(platform && { platform }),
        progress,
        signal,
        found: () => {
          found = true;
          if (unable !== undefined) progress.line(unable);
        },
      }),
    );
  } catch (error) {
    if (found || unable === undefined || !(error instanceof EngineError)) throw error;
    throw new EngineError(`${unable}: ${error.message}`, error.exitCode, { cause: error });
  } finally {
    progress.end();
  }
  const image = findImage(root, canonical(parsed));
  if (image === undefined) throw new EngineError(`image ${name} was removed while it was pulled: try again`);
  return image;
}

/** An image whose layers somebody has cleared by hand: they are unpacked again from its blobs. */
async function restoreLayers(root: string, reference: string): Promise<Image | undefined> {
  const index = readIndex(root);
  const id = findId(root, index, reference);
  if (id === undefined || own(index.images, id)?.manifest === undefined) return undefined;
  const stored = await openStored(root, id);
  try {
    const installed = await installImage(root, stored.source, bringFrom(root), SILENT);
    installed.release();
  } finally {
    stored.release();
  }
  return findImage(root, reference);
}

/** Whether the image of that id is for a platform; an archive of the user's is for any. */
function isForPlatform(root: string, id: string, platform: Platform): boolean {
  if (own(readIndex(root).images, id)?.manifest === undefined) return true;
  return fitsPlatform(parseDocument(readBlob(root, id)), platform);
}
