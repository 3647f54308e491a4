import type { Store } from "../image/install.ts";
import { hasUnlistedLayers, type ImageUse, removeUnreachable } from "../image/store.ts";
import { isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { listIds, presentState, recordIfAny } from "./store.ts";

/** Which containers use images, for those who remove images and layers. */
export function imageUse(paths: Paths, force: boolean): ImageUse {
  return {
    force,
    usersOf: (id) =>
      records(paths)
        .filter(({ imageId }) => imageId === id)
        .map((record) => ({ name: record.name, running: isUp(presentState(paths, record)) })),
    inUse: () => layersInUse(paths),
  };
}

/** The store of images, for those who put something into it. */
export function imageStore(paths: Paths): Store {
  return { root: paths.root, run: paths.run, inUse: () => layersInUse(paths) };
}

/** The folders of the layers of all containers. */
export function layersInUse(paths: Paths): ReadonlySet<string> {
  return new Set(records(paths).flatMap((record) => record.layers));
}

/** Removes layers that no image names and no container uses; costs next to nothing where there are none. */
export async function sweepLayers(paths: Paths): Promise<void> {
  if (!hasUnlistedLayers(paths.root)) return;
  await removeUnreachable(paths.root, paths.run, () => layersInUse(paths));
}

/** Does `work`, and then removes what only an archive of the user's had to be stored for; where both fail, the work's error counts. */
export async function thenSweep<T>({ root, run, inUse }: Store, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await removeUnreachable(root, run, inUse).catch(() => {});
    throw error;
  }
  await removeUnreachable(root, run, inUse);
  return result;
}

function records(paths: Paths): ContainerRecord[] {
  // a damaged record cannot be started, and so uses nothing
  return listIds(paths).flatMap((id) => recordIfAny(paths, id) ?? []);
}
