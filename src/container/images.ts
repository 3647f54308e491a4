import { hasUnlistedLayers, type ImageUse, imageName, removeUnusedLayers } from "../image/store.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { listIds, recordIfAny } from "./store.ts";

/** Which containers use an image, for those who remove images and layers. */
export function imageUse(paths: Paths, force: boolean): ImageUse {
  return {
    force,
    usedBy: (name) => records(paths).find(({ image }) => image !== "" && imageName(image) === name)?.name,
    inUse: () => new Set(records(paths).flatMap((record) => record.layers)),
  };
}

/** Removes layers that no image names and no container uses; costs next to nothing where there are none. */
export async function sweepLayers(paths: Paths): Promise<void> {
  if (!hasUnlistedLayers(paths.root)) return;
  await removeUnusedLayers(paths.root, paths.run, imageUse(paths, false).inUse);
}

function records(paths: Paths): ContainerRecord[] {
  // a damaged record cannot be started, and so uses nothing
  return listIds(paths).flatMap((id) => recordIfAny(paths, id) ?? []);
}
