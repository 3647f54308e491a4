import { applyChanges } from "../image/changes.ts";
import { composeImage } from "../image/compose.ts";
import type { HistoryEntry } from "../image/document.ts";
import { nameImage, type Store } from "../image/install.ts";
import { packBlob } from "../image/pack-blob.ts";
import { openStored, type StoredImage } from "../image/stored.ts";
import { sweepOnceABoot } from "../image/upkeep.ts";
import { EngineError } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { configFrom } from "./committed-config.ts";
import { ownersOf } from "./idmap.ts";
import { imageStore } from "./images.ts";
import { ownPlaces } from "./own-places.ts";
import type { Paths } from "./paths.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import type { ContainerRecord } from "./record.ts";
import { findId, readContainer, readState } from "./store.ts";
import { withView } from "./view.ts";

/** What `commit` was asked for. */
export interface CommitOptions {
  /** The whole name of the image; undefined where it is to have none. */
  readonly tag: string | undefined;
  readonly message: string | undefined;
  readonly author: string | undefined;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
  /** Whether a running container stands still meanwhile. */
  readonly pause: boolean;
  /** Ends it with its reason: what stands still goes on then. */
  readonly signal: AbortSignal;
}

/**
 * `commit`: an image of a container, running or not: the layers of its image, and one more of what it has changed. How it runs
 * (environment, command, user, working folder) is the image's from then on, with `changes` made to it. Where its image is
 * not there any more, or it has none (--rootfs), all of its files become one layer. Returns the image's id.
 */
export async function commitContainer(
  paths: Paths,
  reference: string,
  { tag, message, author, changes, pause, signal }: CommitOptions,
): Promise<string> {
  const container = readContainer(paths, findId(paths, reference));
  const { record } = container;
  // before anything is done for it
  applyChanges({}, changes);
  const store = imageStore(paths);
  sweepOnceABoot(store);
  const base = await baseOf(store, record);
  const resume = pause ? pauseIfRunning(paths, record) : () => {};
  try {
    const layer = await withView(paths, record, "commit", (view) =>
      base === undefined
        ? packBlob(store.root, view.merged(), { whole: true, ...ownersOf(record) })
        : packBlob(store.root, view.upper(), {
            whole: false,
            except: ownPlaces(record),
            ...ownersOf(record),
          }),
    );
    resume();
    try {
      // signals are looked at between the steps: the packing is one
      await Bun.sleep(0);
      signal.throwIfAborted();
      const created = new Date().toISOString();
      const installed = await composeImage(store.root, {
        base,
        layer,
        diffId: layer.digest,
        config: applyChanges({ ...base?.source.document.config, ...configFrom(container) }, changes),
        created,
        author,
        history: historyOf(record, created, author, message),
      });
      try {
        nameImage(store, installed, { tags: tag === undefined ? [] : [tag], digests: [] });
        return installed.id;
      } finally {
        installed.release();
      }
    } finally {
      close(layer.fd);
    }
  } finally {
    resume();
    base?.release();
  }
}

/** The container's image, whole; undefined where there is none any more. */
async function baseOf({ root }: Store, { imageId }: ContainerRecord): Promise<StoredImage | undefined> {
  if (imageId === "") return undefined;
  try {
    return await openStored(root, imageId);
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** Stops all processes of a container that runs; returns what lets them go on. */
function pauseIfRunning(paths: Paths, record: ContainerRecord): () => void {
  if (readState(paths, record)?.status !== "running") return () => {};
  try {
    pauseContainer(paths, record.id);
  } catch (error) {
    // it ended meanwhile
    if (error instanceof EngineError) return () => {};
    throw error;
  }
  let paused = true;
  return () => {
    if (!paused) return;
    paused = false;
    try {
      unpauseContainer(paths, record.id);
    } catch (error) {
      // somebody else has let it go on, or it is gone
      if (!(error instanceof EngineError)) throw error;
    }
  };
}

function historyOf(
  { command }: ContainerRecord,
  created: string,
  author: string | undefined,
  message: string | undefined,
): HistoryEntry {
  return {
    created,
    created_by: command.join(" "),
    ...(author !== undefined && { author }),
    ...(message !== undefined && { comment: message }),
  };
}
