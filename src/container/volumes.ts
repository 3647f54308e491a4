import { readTextIfAny, unlinkIfAny } from "../linux/file.ts";
import { NoSuchVolume, VolumePaths } from "../volume/record.ts";
import { removeVolume, VolumeInUse } from "../volume/remove.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { listIds } from "./store.ts";

/** Where the volumes of the same engine are. */
export function volumePaths({ root }: Paths): VolumePaths {
  return new VolumePaths(root);
}

/** The volumes that containers have, running or not, each with their ids. */
export function volumesInUse(paths: Paths): Map<string, string[]> {
  const used = new Map<string, string[]>();
  for (const id of listIds(paths))
    for (const name of volumesOf(paths, id)) used.set(name, [...(used.get(name) ?? []), id]);
  return used;
}

/** The volumes of a container. What a damaged record looks like it names is taken for one: it may be all that somebody has. */
function volumesOf(paths: Paths, id: string): Set<string> {
  const text = readTextIfAny(paths.record(id)) ?? "";
  try {
    const { volumes = [] } = (JSON.parse(text || "{}") ?? {}) as Partial<ContainerRecord>;
    return new Set(volumes.flatMap(({ name }) => name ?? []));
  } catch {
    return new Set([...text.matchAll(/"name":"([^"]+)"/g)].map(([, name = ""]) => name));
  }
}

/** The containers that have the volume. */
export function usersOf(paths: Paths, name: string): string[] {
  return listIds(paths).filter((id) => volumesOf(paths, id).has(name));
}

/** Removes a volume that no container has. Throws NoSuchVolume, or VolumeInUse. */
export function removeUnused(paths: Paths, name: string, patience?: number): void {
  removeVolume(volumePaths(paths), name, (one) => usersOf(paths, one), patience);
}

/** Removes those of the volumes that nobody has, or is just about to have. */
export function removeIfUnused(paths: Paths, names: readonly string[]): string[] {
  return names.filter((name) => {
    try {
      removeUnused(paths, name, 0);
      return true;
    } catch (error) {
      if (!(error instanceof VolumeInUse) && !(error instanceof NoSuchVolume)) throw error;
      return false;
    }
  });
}

/** The volumes of a container that nobody has named. */
export function anonymousOf({ volumes }: Pick<ContainerRecord, "volumes">): string[] {
  return volumes.flatMap(({ name, anonymous }) => (name !== undefined && anonymous ? [name] : []));
}

/** What of these is to go with a container that is being removed: it is written beside its record while this is so. */
export function ownVolumes(paths: Paths, id: string): string[] {
  const text = readTextIfAny(paths.anonymous(id)) ?? "";
  return text.split("\n").filter((name) => name !== "");
}

/** They stay: whoever ends this removal leaves them too. */
export function keepVolumes(paths: Paths, id: string): void {
  unlinkIfAny(paths.anonymous(id));
}
