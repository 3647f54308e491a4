/**
 * What the groups of one container cost: made with the limits of a plain `run`, and removed.
 *
 *   npx bun bench/cgroups.ts [ROUNDS]      alone, as in the virtual machine; bench/run.ts has it too
 */
import { DEFAULT_PIDS, resourcesOf } from "../src/container/resources.ts";
import { close } from "../src/linux/file.ts";
import { cgroupsPathOf } from "../src/runtime/cgroup/folders.ts";
import { addHierarchies, createGroup } from "../src/runtime/cgroup/group.ts";
import { cgroupLayout, placeOf } from "../src/runtime/cgroup/layout.ts";
import { removeGroup } from "../src/runtime/cgroup/remove.ts";
import { summary } from "./measure.ts";
import { type Section, textOf } from "./report.ts";

/** Times `rounds` groups, one after the other, each the first one in the tree: with /mydocker above it, made and removed. */
export function timeCgroups(rounds: number): Section {
  const resources = resourcesOf({ pids: DEFAULT_PIDS });
  const { version } = cgroupLayout();
  const [made, removed, both]: number[][] = [[], [], []];
  for (let round = -2; round < rounds; round++) {
    const path = cgroupsPathOf(String(9_000_000_000 + round));
    const begin = Bun.nanoseconds();
    const layout = cgroupLayout();
    const group = createGroup(layout, path, resources);
    addHierarchies(layout, group, resources);
    if (group.fd !== undefined) close(group.fd);
    const between = Bun.nanoseconds();
    removeGroup(placeOf(layout, path), path);
    const end = Bun.nanoseconds();
    if (round < 0) continue;
    made?.push((between - begin) / 1e6);
    removed?.push((end - between) / 1e6);
    both?.push((end - begin) / 1e6);
  }
  return {
    title: `cgroups of a container, v${version}: of a plain run, by the engine's own functions`,
    unit: "ms",
    rows: [
      summary("mydocker, both", both ?? []),
      summary("made", made ?? []),
      summary("removed", removed ?? []),
    ],
    aim: { most: version === 1 ? 2 : 1, of: "median" },
  };
}

if (import.meta.main) {
  const sections = [timeCgroups(Number(process.argv[2] ?? 200))];
  process.stdout.write(textOf({ about: {}, missing: [], sections }));
}
