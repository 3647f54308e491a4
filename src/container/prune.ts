import { sizeOf } from "./disk-use.ts";
import { isUp } from "./liveness.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { removeContainer } from "./remove.ts";
import { listAll, NoSuchContainer, recordIfAny } from "./store.ts";

/** What a prune has removed, or would: their ids, and the bytes of their own layers. */
export interface Pruned {
  readonly ids: readonly string[];
  readonly reclaimed: number;
}

/** `container prune`: removes the containers that do not run and that `fits` is true of; with `dryRun` only tells which. */
export async function pruneContainers(
  paths: Paths,
  fits: (record: ContainerRecord) => boolean,
  dryRun: boolean,
): Promise<Pruned> {
  const ids: string[] = [];
  let reclaimed = 0;
  for (const { state, broken } of listAll(paths)) {
    const record = recordIfAny(paths, state.id);
    if (broken !== undefined || isUp(state) || !record || !fits(record)) continue;
    const size = sizeOf(paths, state)?.size ?? 0;
    try {
      if (!dryRun) await removeContainer(paths, state.id, { force: false, volumes: false });
    } catch (error) {
      // started, or removed by somebody else, meanwhile
      if (error instanceof NoSuchContainer || recordIfAny(paths, state.id)) continue;
      throw error;
    }
    ids.push(state.id);
    reclaimed += size;
  }
  return { ids, reclaimed };
}
