import { ownersOf } from "./idmap.ts";
import type { Paths } from "./paths.ts";
import { findId, readRecord } from "./store.ts";
import { withView } from "./view.ts";

/** `export`: the root file system of a container, running or not, as a plain tar into the descriptor `out`. */
export async function exportContainer(paths: Paths, reference: string, out: number): Promise<void> {
  const record = readRecord(paths, findId(paths, reference));
  const { packTo } = await import("../image/pack.ts");
  await withView(paths, record, "export", (view) => packTo(view.merged(), out, ownersOf(record)));
}
